#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {

/// A client and a server that talk over memory.
struct Simple : testing::Test {
  void serve(RequestHandler& handler) {
    auto [a, b] = io::stream_pair(loop);
    server = serve_http1(loop, std::move(a), handler, {}, [this] { server.reset(); });
    client = connect_http1(loop, std::move(b), {}, [](Status) {});
  }
  void poll() {
    while (loop.poll() > 0) {
    }
  }
  // Polls until `done`, for at most a few seconds of real time: a pool's threads work meanwhile.
  template <typename Done>
  bool poll_until(Done done) {
    for (int i = 0; i < 5000 && !done(); ++i) {
      if (loop.poll() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return done();
  }
  static Request request(std::string body) {
    return {.head = {.method = "POST", .target = "/", .authority = "a"}, .body = std::move(body)};
  }
  void go(const Request& what, std::size_t limit = 1000) {
    result.reset();
    operation = fetch(loop, *client, what, limit, [this](Result<Response> r) { result = std::move(r); });
  }

  FakeClock clock;
  io::Loop loop{clock};
  std::optional<Result<Response>> result;
  std::unique_ptr<ServerConnection> server;
  std::unique_ptr<ClientConnection> client;
  std::unique_ptr<io::Operation> operation;
};

}  // namespace towline::http
