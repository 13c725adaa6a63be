#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "io/guarded_dialer.h"
#include "io/testing.h"

/// What the tests of the guarded dialer share: name servers that change their minds, a dialer that notes what
/// it is told, and a server on this machine.
namespace towline::io {

using Dialled = Result<std::unique_ptr<Stream>>;
using Ips = std::vector<std::string>;

/// Its answers, one after the other, are for names; the last one stays. As the contract has it, an address
// resolves to itself.
class ChangingResolver final : public Resolver {
 public:
  std::unique_ptr<Operation> resolve(Loop& loop, std::string host, std::uint16_t port,
                                     Callback callback) override {
    Result<std::vector<ResolvedAddress>> found =
        fail(Code::kUnavailable, "resolve " + host + ": no such host");
    if (literal_address(host, port)) {
      ++literals;
      found = std::vector<ResolvedAddress>{{host, port}};
    } else {
      asked.push_back(host);
      if (silent) return std::make_unique<Operation>();
      if (!answers.empty()) found = std::vector<ResolvedAddress>();
      if (!answers.empty()) {
        for (const std::string& ip : answers.front()) found->push_back({ip, port});
      }
      if (answers.size() > 1) answers.erase(answers.begin());
    }
    auto operation = std::make_unique<Cancellable>();
    loop.post([found, callback = std::move(callback), alive = std::weak_ptr(operation->alive)]() mutable {
      if (!alive.expired()) callback(std::move(found));
    });
    return operation;
  }

  std::vector<Ips> answers;  // none: the name is unknown
  bool silent = false;
  std::vector<std::string> asked;
  std::size_t literals = 0;

 private:
  struct Cancellable final : Operation {
    std::shared_ptr<char> alive = std::make_shared<char>();
  };
};

/// Notes what it is told to dial, and dials it, or fails.
class NotingDialer final : public Dialer {
 public:
  explicit NotingDialer(Resolver& resolver) : dialer_(direct_dialer(resolver)) {}
  std::unique_ptr<Operation> dial(Loop& loop, DialTarget target, std::chrono::milliseconds timeout,
                                  StreamCallback callback) override {
    hosts.push_back(target.host);
    server_names.push_back(target.tls_server_name);
    if (!failing) return dialer_->dial(loop, std::move(target), timeout, std::move(callback));
    loop.post([callback = std::move(callback)]() mutable { callback(fail(Code::kUnavailable, "no way")); });
    return std::make_unique<Operation>();
  }

  bool failing = false;
  std::vector<std::string> hosts;
  std::vector<std::string> server_names;

 private:
  std::unique_ptr<Dialer> dialer_;
};

inline ProxySettings proxy_at(const std::string& url, const std::string& except = "") {
  const std::map<std::string, std::string> variables = {
      {"HTTPS_PROXY", url}, {"HTTP_PROXY", url}, {"NO_PROXY", except}};
  return ProxySettings::from_environment([&](const char* name) -> const char* {
           const auto found = variables.find(name);
           return found == variables.end() ? nullptr : found->second.c_str();
         })
      .value();
}

class GuardedDialerTest : public ::testing::Test {
 protected:
  void make(const std::vector<std::string>& allowed = {}, ProxySettings proxies = {}) {
    dialer = guarded_dialer(resolver, direct, AddressPolicy::parse(allowed).value(), std::move(proxies));
  }
  // Listens on all addresses of loopback.
  std::uint16_t start_listening() {
    listener = listen(loop, "0.0.0.0", 0, false, [this](std::unique_ptr<Stream> stream) {
                 accepted = std::move(stream);
               }).value();
    return listener->port();
  }
  void begin(const std::string& host, std::uint16_t port = 443,
             std::shared_ptr<TlsClientContext> tls = nullptr) {
    operation =
        dialer->dial(loop, {.host = host, .port = port, .tls = std::move(tls)}, std::chrono::seconds(30),
                     [this](Dialled dialled) { result = std::move(dialled); });
    EXPECT_FALSE(result.has_value()) << "called back from inside dial()";
  }
  void wait() {
    ASSERT_TRUE(testing::run_until(loop, [&] { return result.has_value(); }));
  }
  std::string peer_of(const std::string& host, std::uint16_t port) {
    begin(host, port);
    wait();
    return result->has_value() ? std::string((**result)->peer()) : result->error().to_string();
  }
  Status error_of(const std::string& host, std::uint16_t port = 443) {
    begin(host, port);
    wait();
    return result->has_value() ? Status() : result->error();
  }

  SystemClock clock;
  Loop loop{clock};
  ChangingResolver resolver;
  NotingDialer direct{resolver};
  std::unique_ptr<Dialer> dialer;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> accepted;
  std::optional<Dialled> result;
  std::unique_ptr<Operation> operation;
};

}  // namespace towline::io
