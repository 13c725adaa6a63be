// What the hot paths cost without a network: time and allocations for each operation. Both ends of a
// connection run on one thread over memory, so figures are for client and server together.
//
// new/op counts operator new; malloc/op everything that is allocated, C libraries (nghttp2) and operator new
// included.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>

#include "base/clock.h"
#include "grpc/client.h"
#include "grpc/frame.h"
#include "grpc/server.h"
#include "http/client.h"
#include "http/server.h"
#include "http/simple.h"
#include "io/loop.h"
#include "io/pair.h"
#include "proto/methods.h"
#include "tunnel/agent/tunnels.h"
#include "tunnel/server/router.h"

namespace {
std::uint64_t news = 0;
std::uint64_t mallocs = 0;
}  // namespace

extern "C" {
// glibc's own names of what is replaced here; free() stays as it is.
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);

void* malloc(std::size_t size) {
  ++mallocs;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++mallocs;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  ++mallocs;
  return __libc_realloc(old, size);
}
}

void* operator new(std::size_t size) {
  ++news;
  return std::malloc(size);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace towline {
namespace {

constexpr std::size_t kBody = 1024;
constexpr std::string_view kMethod = "/bench.Service/Call";

// Counts from its making to report().
class Allocations {
 public:
  void report(benchmark::State& state) const {
    const auto average = benchmark::Counter::kAvgIterations;
    state.counters["new/op"] = benchmark::Counter(static_cast<double>(news - news_), average);
    state.counters["malloc/op"] = benchmark::Counter(static_cast<double>(mallocs - mallocs_), average);
  }

 private:
  const std::uint64_t news_ = news;
  const std::uint64_t mallocs_ = mallocs;
};

void settle(io::Loop& loop) {
  while (loop.poll() > 0) {
  }
}

// One body of `count` messages of 1 KiB, in pieces of `piece` bytes as DATA frames bring them.
void deframe(benchmark::State& state) {
  const auto piece = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t kCount = 64;
  std::string body;
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto prefix = grpc::message_prefix(kBody);
    body.append(reinterpret_cast<const char*>(prefix.data()), prefix.size()).append(kBody, 'x');
  }
  const auto bytes = grpc::message_view(body);
  const Allocations allocations;
  for (auto _ : state) {
    grpc::Deframer deframer;
    std::size_t seen = 0;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      deframer.push(bytes.subspan(at, std::min(piece, bytes.size() - at)));
      while (auto message = *deframer.next()) seen += message->size();
    }
    if (seen != kCount * kBody) state.SkipWithError("messages were lost");
  }
  allocations.report(state);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(deframe)->Name("deframe 64 messages of 1 KiB, by piece")->Arg(16 * 1024)->Arg(1000);

// Answers each request with 1 KiB.
class Responder final : public http::RequestHandler {
 public:
  void on_request(http::RequestHead, bool, std::unique_ptr<http::ServerExchange> exchange) override {
    http::send(*exchange, response_);
  }

 private:
  http::Response response_{.headers = {{"content-type", "application/json"}},
                           .body = std::string(kBody, 'x')};
};

using Serve = decltype(&http::serve_http2);
using Connect = decltype(&http::connect_http2);

void get(benchmark::State& state, Serve serve, Connect connect) {
  const SystemClock clock;
  io::Loop loop(clock);
  Responder responder;
  auto [a, b] = io::stream_pair(loop, 256 * 1024);
  auto server = serve(loop, std::move(a), responder, {}, [] {});
  auto client = connect(loop, std::move(b), {}, [](Status) {});
  settle(loop);
  const http::Request request{
      .head = {.method = "GET",
               .target = "/api/v1/namespaces/default/pods?limit=500",
               .scheme = "https",
               .authority = "localhost:6443",
               .headers = {{"accept", "application/json"}, {"user-agent", "kubectl/v1.30.0"}}}};
  const Allocations allocations;
  for (auto _ : state) {
    bool good = false;
    auto operation = http::fetch(loop, *client, request, 1 << 20,
                                 [&](Result<http::Response> r) { good = r && r->body.size() == kBody; });
    settle(loop);
    if (!good) state.SkipWithError("no response");
  }
  allocations.report(state);
}
void get_http1(benchmark::State& state) { get(state, http::serve_http1, http::connect_http1); }
void get_http2(benchmark::State& state) { get(state, http::serve_http2, http::connect_http2); }
BENCHMARK(get_http1)->Name("HTTP/1.1 GET of 1 KiB");
BENCHMARK(get_http2)->Name("HTTP/2 GET of 1 KiB");

// A gRPC connection in memory whose server answers kMethod.
struct Connection {
  Connection(io::Loop& loop, const grpc::Server& methods) {
    auto [a, b] = io::stream_pair(loop, 256 * 1024);
    server = http::serve_http2(loop, std::move(a), const_cast<grpc::Server&>(methods), {}, [] {});
    client = http::connect_http2(loop, std::move(b), {}, [](Status) {});
    channel.emplace(loop, *client,
                    grpc::ChannelOptions{.authority = "kas", .metadata = {{"authorization", "Bearer x"}}});
    settle(loop);
  }
  std::unique_ptr<http::ServerConnection> server;
  std::unique_ptr<http::ClientConnection> client;
  std::optional<grpc::Channel> channel;
};

void unary(benchmark::State& state) {
  const SystemClock clock;
  io::Loop loop(clock);
  grpc::Server methods;
  methods.add(std::string(kMethod), grpc::unary([](auto, const auto&, io::Loop&, grpc::UnaryReply reply) {
                reply(std::string(kBody, 'x'));
              }));
  Connection connection(loop, methods);
  const std::string request(64, 'r');
  const Allocations allocations;
  for (auto _ : state) {
    bool good = false;
    auto call = connection.channel->unary(std::string(kMethod), request, std::chrono::seconds(10),
                                          [&](Result<std::string> r) { good = r && r->size() == kBody; });
    settle(loop);
    if (!good) state.SkipWithError("no response");
  }
  allocations.report(state);
}
BENCHMARK(unary)->Name("gRPC unary call, 1 KiB back");

// The agent's side of a call: a head, 1 KiB and the end, when the caller has ended.
class Answer final : public grpc::ServerCallHandler {
 public:
  explicit Answer(std::unique_ptr<grpc::ServerCall> call) : call_(std::move(call)) {
    call_->set_handler(this);
  }
  void on_message(grpc::MessageView message) override { call_->consume(message.size()); }
  void on_half_close() override {
    static const std::string head(64, 'h');
    static const std::string body(kBody, 'x');
    call_->send(grpc::message_view(head));
    call_->send(grpc::message_view(body));
    call_->finish(Status());
    delete this;
  }
  void on_cancelled(Status) override { delete this; }

 private:
  std::unique_ptr<grpc::ServerCall> call_;
};

struct Caller final : grpc::ClientCallHandler {
  void on_message(grpc::MessageView message) override {
    bytes += message.size();
    call->consume(message.size());
  }
  void on_finish(Status s, grpc::Metadata) override { good = s.ok(); }
  std::unique_ptr<grpc::ClientCall> call;
  std::size_t bytes = 0;
  bool good = false;
};

// A call through the reverse tunnel, the new stream that the agent opens in place of the used one included.
void tunnelled(benchmark::State& state) {
  const SystemClock clock;
  io::Loop loop(clock);
  auto router = tunnel::Router::create(
      {},
      [](io::Loop& on, const auto&, auto answer) {
        on.post([answer = std::move(answer)]() mutable {
          answer(tunnel::TunnelOwner{.agent_id = 7, .token_id = 70});
        });
      },
      Logger());
  grpc::Server server;
  server.add(method::kConnect, router->connect_handler());
  grpc::Server methods;
  methods.add(std::string(kMethod), [](grpc::IncomingCall call) { new Answer(std::move(call.call)); });
  Connection connection(loop, server);
  auto tunnels = tunnel::start_tunnels(loop, *connection.channel, methods, {}, Logger());
  settle(loop);
  const std::string request(64, 'r');
  const Allocations allocations;
  for (auto _ : state) {
    Caller caller;
    caller.call = router->call(loop, 7, std::string(kMethod), {{"x-request-id", "1"}}, &caller);
    caller.call->send(grpc::message_view(request));
    caller.call->half_close();
    settle(loop);
    if (!caller.good || caller.bytes != kBody + 64) state.SkipWithError("no response");
  }
  allocations.report(state);
}
BENCHMARK(tunnelled)->Name("tunnelled call, 1 KiB back");

}  // namespace
}  // namespace towline

BENCHMARK_MAIN();
