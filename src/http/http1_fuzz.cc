// Feeds arbitrary bytes to an HTTP/1.1 server and to a client, cut in arbitrary pieces, with handlers whose
// behaviour the input decides too.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/fuzz_choices.h"
#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

void answer(Requests::Item& item, unsigned how) {
  if (!item.server) return;
  switch (how % 8) {
    case 0:
      send(*item.server, {.body = "hello"});
      break;
    case 1:
      item.server->respond({.status = 101, .upgrade = item.head.upgrade});
      break;
    case 2:
      item.server->respond({.status = 204}, true);
      break;
    case 3:
      item.server.reset();
      break;
    case 4:
      item.server->reset();
      break;
    case 5: {
      item.server->respond({});
      const std::string large(20'000, 'x');
      item.server->write(bytes_of(large));
      item.server->end({{"a", "b"}});
      break;
    }
    case 6:
      item.server->consume(0);
      break;
    default:
      break;
  }
}

void feed(Wire& wire, Choices& choices) {
  while (!choices.empty()) {
    const unsigned cut = choices.byte();
    wire.send(choices.piece(cut < 128 ? cut : 4096));
    if (cut % 16 == 1) wire.receive();
    if (cut % 32 == 2) wire.advance(std::chrono::seconds(7));
  }
  wire.raw->shutdown_write();
  wire.receive();
  wire.advance(std::chrono::seconds(200));
}

void fuzz_server(Choices choices) {
  Wire wire(4096);
  Requests requests;
  const unsigned how = choices.byte();
  requests.on = [&](auto& item) {
    item.auto_consume = (how & 64) == 0;
    item.after_body = [&item, how] { answer(item, how >> 3); };
    item.after_end = [&item, how] { answer(item, how >> 3); };
    item.after_sent = [&item, how] { answer(item, how >> 3); };
    answer(item, how);
  };
  std::unique_ptr<ServerConnection> server;
  server = serve_http1(wire.loop, std::move(wire.under_test), requests, {.limits = {.stream_window = 100}},
                       [&] { server.reset(); });
  feed(wire, choices);
  server.reset();
}

void fuzz_client(Choices choices) {
  Wire wire(4096);
  Recorder recorder;
  const unsigned how = choices.byte();
  std::unique_ptr<ClientConnection> client;
  client =
      connect_http1(wire.loop, std::move(wire.under_test), {.limits = {.stream_window = 100}}, [&](Status) {
        if (client->active() == 0) client.reset();
      });
  const auto open = [&] {
    if (!client || client->available() == 0) return;
    recorder.client = client->open(
        {.method = how & 1 ? "HEAD" : "GET", .target = "/", .authority = "a", .upgrade = how & 2 ? "x" : ""},
        (how & 4) != 0, &recorder);
    if (how & 8) recorder.client->write(bytes_of("body"));
    if (how & 16) recorder.client->end();
  };
  recorder.auto_consume = (how & 32) == 0;
  recorder.after_end = open;
  recorder.after_body = [&] {
    if (how & 64) recorder.client.reset();
  };
  recorder.after_failed = [&] {
    if (how & 128) client.reset();
  };
  open();
  feed(wire, choices);
  client.reset();  // with the pointer empty before a callback looks at it
}

}  // namespace
}  // namespace towline::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const towline::http::Choices choices(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    towline::http::fuzz_server(choices);
  } else {
    towline::http::fuzz_client(choices);
  }
  return 0;
}
