// A client of the Kubernetes API before peers that refuse, reset and break; they count what reaches them.
#include "kube/client.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "io/loop.h"
#include "io/pair.h"
#include "io/stream.h"
#include "kube/test_config.h"

namespace towline::kube {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A stream on which TLS has agreed on a protocol.
class Agreed final : public io::Stream {
 public:
  Agreed(std::unique_ptr<io::Stream> stream, std::string protocol)
      : stream_(std::move(stream)), protocol_(std::move(protocol)) {}
  void set_handler(io::StreamHandler* handler) override { stream_->set_handler(handler); }
  io::Transfer read(std::span<std::byte> buffer) override { return stream_->read(buffer); }
  io::Transfer write(std::span<const iovec> pieces) override { return stream_->write(pieces); }
  void shutdown_write() override { stream_->shutdown_write(); }
  const Status& error() const override { return stream_->error(); }
  std::string_view alpn() const override { return protocol_; }
  bool secure() const override { return true; }
  std::string_view peer() const override { return "api:443"; }

 private:
  std::unique_ptr<io::Stream> stream_;
  std::string protocol_;
};

constexpr char kSettings = 4, kHeaders = 1, kReset = 3, kGoAway = 7;

std::string number(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}
std::string frame(char type, char flags, std::uint32_t stream, const std::string& payload) {
  return number(static_cast<std::uint32_t>(payload.size())).substr(1) + type + flags + number(stream) +
         payload;
}
std::string ok(std::uint32_t stream) { return frame(kHeaders, 5, stream, "\x88"); }  // ":status: 200"
std::string reset(std::uint32_t stream, std::uint32_t code) { return frame(kReset, 0, stream, number(code)); }

// One connection at the API server: what came, and what `answer` makes of each request.
class Peer final : public io::StreamHandler {
 public:
  using Answer = std::function<std::optional<std::string>(std::uint32_t request)>;  // nothing: closes
  Peer(std::unique_ptr<io::Stream> stream, bool http2, Answer answer)
      : stream_(std::move(stream)), http2_(http2), answer_(std::move(answer)) {
    stream_->set_handler(this);
    if (http2_) send(frame(kSettings, 0, 0, ""));
    on_readable();
  }
  void on_readable() override {
    std::string buffer(65536, '\0');
    while (stream_ != nullptr) {
      const io::Transfer got = stream_->read(std::as_writable_bytes(std::span(buffer)));
      if (got.outcome != io::Outcome::kDone) break;
      input_.append(buffer, 0, got.bytes);
      while (stream_ != nullptr && take()) {
      }
    }
  }
  void on_writable() override {}

  std::size_t largest = 0;  // request head over HTTP/1.1

 private:
  bool take() { return http2_ ? take_frame() : take_text(); }
  bool take_frame() {
    constexpr std::size_t kPreface = 24;
    if (!greeted_) {
      if (input_.size() < kPreface) return false;
      input_.erase(0, kPreface);
      greeted_ = true;
    }
    if (input_.size() < 9) return false;
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(input_[at]); };
    const std::size_t size = byte(0) << 16U | byte(1) << 8U | byte(2);
    if (input_.size() < 9 + size) return false;
    const std::uint32_t stream = byte(7) << 8U | byte(8);
    const bool request = byte(3) == kHeaders;
    input_.erase(0, 9 + size);
    if (request) reply(stream);
    return true;
  }
  bool take_text() {
    const auto end = input_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    largest = std::max(largest, end);
    input_.erase(0, end + 4);
    reply(1);
    return true;
  }
  void reply(std::uint32_t request) {
    if (const auto bytes = answer_(request)) return send(*bytes);
    stream_.reset();
  }
  void send(const std::string& bytes) { io::write(*stream_, std::as_bytes(std::span(bytes))); }

  std::unique_ptr<io::Stream> stream_;
  const bool http2_;
  Answer answer_;
  std::string input_;
  bool greeted_ = false;
};

class Tls final : public Credentials {
 public:
  void authorization(io::Loop&, std::move_only_function<void(Result<Authorization>)> answer) override {
    answer(Authorization{});
  }
  void invalidate() override {}
  Result<std::shared_ptr<io::TlsClientContext>> tls() override { return std::make_shared<FakeTls>(); }
};

struct Answered final : http::ExchangeHandler {
  void on_response(http::ResponseHead response, bool) override {
    head = std::move(response);
    status = head.status;
  }
  void on_body(std::span<const std::byte>) override {}
  void on_end(http::Headers) override {}
  void on_failed(Status why) override { failure = std::move(why); }
  int status = 0;
  http::ResponseHead head;
  std::optional<Status> failure;
  std::unique_ptr<http::ClientExchange> exchange;
};

class ClientTest : public testing::Test, public io::Dialer {
 protected:
  ClientTest() { serve("https://api"); }
  void serve(const std::string& url) {
    ClusterConfig config;
    config.server = *parse_url(url);
    config.credentials = std::make_shared<Tls>();
    client_ = make_client(loop_, *this, std::move(config), {}, Logger());
  }

  std::unique_ptr<io::Operation> dial(io::Loop&, io::DialTarget target, std::chrono::milliseconds,
                                      io::StreamCallback callback) override {
    const bool http2 = http2_ && target.alpn.front() == "h2";
    loop_.post([this, http2, done = std::make_shared<io::StreamCallback>(std::move(callback))] {
      auto [ours, theirs] = io::stream_pair(loop_, 4 * 1024 * 1024);
      auto answer = [this](std::uint32_t stream) {
        ++seen_;
        const auto next = script_.empty() ? last_ : std::move(script_.front());
        if (!script_.empty()) script_.pop_front();
        return next(stream);
      };
      peers_.push_back(std::make_unique<Peer>(std::move(theirs), http2, std::move(answer)));
      (*done)(std::make_unique<Agreed>(std::move(ours), http2 ? "h2" : "http/1.1"));
    });
    return std::make_unique<io::Operation>();
  }

  Answered& ask(const std::string& method, bool body = false, std::string target = "/") {
    Answered& answered = *answered_.emplace_back(std::make_unique<Answered>());
    answered.exchange = client_->start({.method = method, .target = std::move(target)}, !body, &answered);
    if (body) answered.exchange->end();
    for (int i = 0; i < 1000 && answered.status == 0 && !answered.failure; ++i) loop_.poll();
    return answered;
  }
  /// What the peers do with the requests to come, in order; after that, `last_`.
  void then(Peer::Answer answer) { script_.push_back(std::move(answer)); }

  static std::optional<std::string> ok_text(std::uint32_t) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  }
  static std::optional<std::string> close(std::uint32_t) { return std::nullopt; }

  FakeClock clock_;
  io::Loop loop_{clock_};
  bool http2_ = true;
  std::size_t seen_ = 0;  // requests
  std::deque<Peer::Answer> script_;
  Peer::Answer last_ = [](std::uint32_t stream) { return ok(stream); };
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Answered>> answered_;
  std::unique_ptr<Client> client_;
};

class EveryReset : public ClientTest, public testing::WithParamInterface<std::uint32_t> {};

TEST_P(EveryReset, OfAUsedConnectionIsAnErrorThatNamesTheHopAndNothingIsRepeated) {
  for (const char* method : {"GET", "POST", "DELETE", "PATCH"}) {
    ASSERT_EQ(ask("GET").status, 200);
    seen_ = 0;
    last_ = [](std::uint32_t stream) { return reset(stream, GetParam()); };
    const Answered& answered = ask(method);
    last_ = [](std::uint32_t stream) { return ok(stream); };
    ASSERT_TRUE(answered.failure) << method;
    EXPECT_THAT(answered.failure->message(), StartsWith("Kubernetes API: "));
    EXPECT_NE(answered.failure->code(), Code::kAborted);
    EXPECT_EQ(seen_, 1U) << method;
  }
}
INSTANTIATE_TEST_SUITE_P(Codes, EveryReset, testing::Values(0U, 1U, 2U, 3U, 5U, 6U, 8U, 9U, 11U, 13U));

TEST_F(ClientTest, ARefusedStreamIsRepeatedOnceAndOnAnotherConnection) {
  ASSERT_EQ(ask("GET").status, 200);
  then([](std::uint32_t stream) { return reset(stream, 7); });
  EXPECT_EQ(ask("DELETE").status, 200);
  EXPECT_EQ(seen_, 3U);
  EXPECT_EQ(peers_.size(), 2U);
}

TEST_F(ClientTest, AServerThatRefusesAlwaysSeesARequestTwice) {
  ASSERT_EQ(ask("GET").status, 200);
  last_ = [](std::uint32_t stream) { return reset(stream, 7); };
  const Answered& answered = ask("POST");
  ASSERT_TRUE(answered.failure);
  EXPECT_EQ(answered.failure->code(), Code::kUnavailable);
  EXPECT_THAT(answered.failure->message(), HasSubstr("REFUSED_STREAM"));
  EXPECT_EQ(seen_, 3U);
}

TEST_F(ClientTest, AGoawayThatNamesAnEarlierStreamLetsTheRequestBeRepeated) {
  ASSERT_EQ(ask("GET").status, 200);
  then([](std::uint32_t stream) { return frame(kGoAway, 0, 0, number(stream - 2) + number(0)); });
  EXPECT_EQ(ask("POST").status, 200);
  EXPECT_EQ(seen_, 3U);
}

TEST_F(ClientTest, AGoawayThatNamesTheRequestDoesNot) {
  ASSERT_EQ(ask("GET").status, 200);
  then([](std::uint32_t stream) {
    return frame(kGoAway, 0, 0, number(stream) + number(0)) + reset(stream, 8);
  });
  EXPECT_TRUE(ask("GET").failure);
  EXPECT_EQ(seen_, 2U);
}

TEST_F(ClientTest, AnHttp2ConnectionThatBreaksIsAnError) {
  ASSERT_EQ(ask("GET").status, 200);
  then(close);
  EXPECT_TRUE(ask("GET").failure);
  EXPECT_EQ(seen_, 2U);
}

TEST_F(ClientTest, ARefusedRequestWithABodyIsAnError) {
  then([](std::uint32_t stream) { return reset(stream, 7); });
  EXPECT_TRUE(ask("POST", true).failure);
  EXPECT_EQ(seen_, 1U);
}

class Http1ClientTest : public ClientTest {
 protected:
  Http1ClientTest() {
    http2_ = false;
    last_ = ok_text;
  }
};

TEST_F(Http1ClientTest, AKeptConnectionThatIsClosedWithoutAnAnswerLetsSafeMethodsBeRepeatedOnce) {
  for (const char* method : {"GET", "HEAD", "OPTIONS"}) {
    ASSERT_EQ(ask("GET").status, 200);
    seen_ = 0;
    then(close);
    EXPECT_EQ(ask(method).status, 200) << method;
    EXPECT_EQ(seen_, 2U) << method;
  }
  last_ = close;
  EXPECT_TRUE(ask("GET").failure);
  EXPECT_EQ(seen_, 4U);
}

TEST_F(Http1ClientTest, AndNoOthers) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "get", "TRACE"}) {
    ASSERT_EQ(ask("GET").status, 200);
    seen_ = 0;
    then(close);
    EXPECT_TRUE(ask(method).failure) << method;
    EXPECT_EQ(seen_, 1U) << method;
  }
}

TEST_F(Http1ClientTest, AFreshConnectionThatIsClosedIsAnError) {
  then(close);
  const Answered& answered = ask("GET");
  ASSERT_TRUE(answered.failure);
  EXPECT_EQ(answered.failure->code(), Code::kUnavailable);
  EXPECT_EQ(seen_, 1U);
}

TEST_F(Http1ClientTest, AMethodThatIsNoneIsAnErrorAfterTwoConnections) {
  EXPECT_TRUE(ask("GE T").failure);
  EXPECT_EQ(seen_, 0U);
  EXPECT_LE(peers_.size(), 2U);
}

TEST_F(ClientTest, ALargeHeadGoesOverHttp1) {
  ASSERT_EQ(ask("GET").status, 200);
  then(ok_text);
  EXPECT_EQ(ask("GET", false, "/?" + std::string(1024 * 1024, 'a')).status, 200);
  EXPECT_EQ(peers_.size(), 2U);
  EXPECT_GT(peers_[1]->largest, 1024U * 1024U);
  EXPECT_EQ(ask("GET").status, 200);  // on the one that was there
  EXPECT_EQ(peers_.size(), 2U);
}

TEST_F(Http1ClientTest, NoPathLeavesTheServersBasePath) {
  serve("https://api/k8s/c-1");
  for (const char* path : {"/..", "/a/../b", "/%2e%2E/x", "/a/.%2e", "/.", "/a%2f..%2fb", "/a\\..", "/./a"}) {
    const Answered& answered = ask("GET", false, path);
    ASSERT_TRUE(answered.failure) << path;
    EXPECT_EQ(answered.failure->code(), Code::kInvalidArgument) << path;
  }
  EXPECT_EQ(seen_, 0U);
  for (const char* path : {"/a..b", "/.a", "/...", "/a?x=../..", "/%zz"}) {
    EXPECT_EQ(ask("GET", false, path).status, 200) << path;
  }
  serve("https://api/");
  EXPECT_EQ(ask("GET", false, "/a/../b").status, 200);
}

TEST_F(Http1ClientTest, TheBasePathIsTakenOutOfRedirects) {
  serve("https://api/k8s/c-1/");
  then([](std::uint32_t) {
    return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /k8s/c-1/x\r\n\r\n";
  });
  EXPECT_EQ(ask("GET").head.headers.get("location"), "/x");
  then(
      [](std::uint32_t) { return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /k8s/c-12\r\n\r\n"; });
  EXPECT_EQ(ask("GET").head.headers.get("location"), "/k8s/c-12");
}

}  // namespace
}  // namespace towline::kube
