// Feeds an HTTP/2 server and a client with frames: mostly well framed, so that what stands in them is
// reached, with types, flags, streams and contents that the input decides, and with handlers whose behaviour
// it decides too.

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

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSettings{"\0\0\0\4\0\0\0\0\0", 9};
// HPACK: indexed fields of a GET and of a 200, RFC 7541, appendix A; "a" as authority.
constexpr std::string_view kRequest{"\x82\x87\x84\x41\x01\x61", 6};
constexpr std::string_view kResponse{"\x88", 1};

// The next frame of the input, or raw bytes of it.
std::string next_frame(Choices& choices, std::string_view head_block) {
  const unsigned kind = choices.byte();
  if (kind >= 250) return std::string(choices.piece(choices.byte()));
  const unsigned flags = choices.byte();
  const unsigned stream = choices.byte() % 16;
  std::string payload(choices.piece(choices.byte()));
  if (kind % 12 == 1 && payload.size() < 4) payload = head_block;  // HEADERS that mean something
  const std::size_t size = payload.size();
  std::string frame = {static_cast<char>(size >> 16U),
                       static_cast<char>(size >> 8U),
                       static_cast<char>(size),
                       static_cast<char>(kind % 12),
                       static_cast<char>(flags),
                       0,
                       0,
                       0,
                       static_cast<char>(stream)};
  return frame + payload;
}

void feed(Wire& wire, Choices& choices, std::string_view head_block) {
  for (int i = 0; !choices.empty() && i < 1000; ++i) {
    wire.send(next_frame(choices, head_block));
    if (i % 8 != 7) wire.receive();
    if (i % 32 == 31) wire.advance(std::chrono::seconds(7));
  }
  wire.raw->shutdown_write();
  wire.receive();
  wire.advance(std::chrono::seconds(200));
  wire.receive();
}

void act(Requests::Item& item, unsigned how) {
  if (!item.server) return;
  switch (how % 6) {
    case 0:
      return send(*item.server, {.body = std::string(300, 'x')});
    case 1:
      return item.server->respond({.status = 200});
    case 2:
      return item.server->write(bytes_of("some of the body"));
    case 3:
      return item.server->end({{"a", "b"}});
    case 4:
      item.server.reset();
      return;
    default:
      return item.server->consume(0);
  }
}

void fuzz_server(Choices choices) {
  Wire wire(4096);
  Requests requests;
  const unsigned how = choices.byte();
  requests.on = [&](auto& item) {
    item.auto_consume = (how & 64) == 0;
    item.after_body = [&item, how] { act(item, how >> 3); };
    item.after_end = [&item, how] { act(item, how >> 4); };
    act(item, how);
  };
  std::unique_ptr<ServerConnection> server;
  server = serve_http2(
      wire.loop, std::move(wire.under_test), requests,
      {.limits = {.header_bytes = 400, .stream_window = 100, .connection_window = 300, .streams = 5}},
      [&] { server.reset(); });
  wire.send(kPreface);
  wire.send(kSettings);
  feed(wire, choices, kRequest);
  server.reset();
}

void fuzz_client(Choices choices) {
  Wire wire(4096);
  Recorder recorders[3];
  const unsigned how = choices.byte();
  std::unique_ptr<ClientConnection> client;
  client = connect_http2(wire.loop, std::move(wire.under_test),
                         {.limits = {.header_bytes = 400, .stream_window = 100}}, [&](Status) {
                           if (client && client->active() == 0) client.reset();
                         });
  for (Recorder& recorder : recorders) {
    if (!client || client->available() == 0) break;
    recorder.auto_consume = (how & 1) == 0;
    recorder.after_body = [&recorder, how] {
      if (how & 2) recorder.client.reset();
    };
    recorder.client =
        client->open({.method = "POST", .target = "/", .authority = "a"}, (how & 4) != 0, &recorder);
    if (recorder.client && (how & 8)) recorder.client->write(bytes_of("body"));
    if (recorder.client && (how & 16)) recorder.client->end();
  }
  wire.send(kSettings);
  feed(wire, choices, kResponse);
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
