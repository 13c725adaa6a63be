#include "io/websocket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/pair.h"
#include "io/testing_tls.h"
#include "io/websocket_frame.h"

namespace towline::io {
namespace {

using testing::Ends;
using testing::exchange_traffic;
using ::testing::HasSubstr;
using testing::Reader;
using testing::run_until;
using testing::settle;
using testing::stall_and_resume;
using testing::tcp_pair;
using testing::tls_over;
using testing::write_text;

Ends websocket_over(Loop& loop, Ends lower) {
  return {websocket_stream(loop, std::move(lower.first), WebSocketRole::kClient),
          websocket_stream(loop, std::move(lower.second), WebSocketRole::kServer)};
}

std::string frame(Opcode opcode, std::string_view payload, bool masked, bool fin = true) {
  std::string bytes(kMaxFrameHeader + payload.size(), '\0');
  const FrameHeader header{.fin = fin, .opcode = opcode, .masked = masked, .length = payload.size()};
  const std::size_t size = encode_frame_header(header, reinterpret_cast<std::byte*>(bytes.data()));
  return bytes.substr(0, size) + std::string(payload);
}

class WebSocketTest : public ::testing::Test {
 protected:
  SystemClock clock;
  Loop loop{clock};
};

TEST_F(WebSocketTest, AnswersTheKeyOfTheRfc) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(websocket_key().size(), 24U);
  EXPECT_NE(websocket_key(), websocket_key());
}

TEST_F(WebSocketTest, MovesBytesOverTcp) {
  Ends ends = websocket_over(loop, tcp_pair(loop));
  EXPECT_EQ(exchange_traffic(loop, *ends.first, *ends.second, 50 << 20), "");
}

TEST_F(WebSocketTest, MovesBytesOverTls) {
  Ends ends = websocket_over(loop, tls_over(loop, tcp_pair(loop)));
  EXPECT_TRUE(ends.first->secure());
  EXPECT_EQ(exchange_traffic(loop, *ends.first, *ends.second, 50 << 20), "");
}

TEST_F(WebSocketTest, MovesBytesOverStreamsThatCutFrames) {
  for (const std::size_t capacity : {1, 7, 333, 64 * 1024}) {
    Ends ends = websocket_over(loop, stream_pair(loop, capacity));
    EXPECT_EQ(exchange_traffic(loop, *ends.first, *ends.second, capacity < 100 ? 20'000 : 1 << 20), "")
        << capacity;
  }
  Ends tls = websocket_over(loop, tls_over(loop, stream_pair(loop, 333)));
  EXPECT_EQ(exchange_traffic(loop, *tls.first, *tls.second, 1 << 19), "");
}

TEST_F(WebSocketTest, ASlowReaderHoldsTheWriterBack) {
  Ends plain = websocket_over(loop, tcp_pair(loop));
  EXPECT_EQ(stall_and_resume(loop, *plain.first, *plain.second, 50 << 20), "");
  Ends tls = websocket_over(loop, tls_over(loop, tcp_pair(loop)));
  EXPECT_EQ(stall_and_resume(loop, *tls.second, *tls.first, 50 << 20), "");
}

TEST_F(WebSocketTest, ClosesWithAHandshake) {
  Ends ends = websocket_over(loop, tcp_pair(loop));
  Reader client(*ends.first);
  Reader server(*ends.second);
  write_text(*ends.first, "last words");
  ends.first->shutdown_write();
  ends.first->shutdown_write();
  ASSERT_TRUE(run_until(loop, [&] { return server.ended && client.ended; }));
  EXPECT_EQ(server.text, "last words");
  EXPECT_EQ(write_text(*ends.first, "more").outcome, Outcome::kError);
  EXPECT_EQ(write_text(*ends.second, "more").outcome, Outcome::kError);
  EXPECT_THAT(ends.second->error().message(), HasSubstr("closed"));
  std::byte buffer[1];
  EXPECT_EQ(ends.second->read(buffer).outcome, Outcome::kEof);
}

TEST_F(WebSocketTest, MayBeDestroyedInItsCallbacks) {
  struct Killer final : StreamHandler {
    void on_readable() override { stream.reset(); }
    void on_writable() override { stream.reset(); }
    std::unique_ptr<Stream> stream;
  };
  for (const bool write_side : {false, true}) {
    Ends ends = websocket_over(loop, stream_pair(loop, 100));
    Killer killer;
    killer.stream = std::move(ends.second);
    killer.stream->set_handler(&killer);
    std::byte buffer[1000];
    if (write_side) {
      EXPECT_LT(write_text(*killer.stream, std::string(1000, 'x')).bytes, 100U);
      (void)ends.first->read(buffer);
    } else {
      EXPECT_EQ(killer.stream->read(buffer).outcome, Outcome::kWouldBlock);
      write_text(*ends.first, "x");
    }
    EXPECT_TRUE(run_until(loop, [&] { return killer.stream == nullptr; }));
  }
}

// One end is a WebSocket in the server's role, the other writes frames as it likes. Its masks are zero, so
// that payload can be read in the tests.
class WebSocketProtocolTest : public WebSocketTest {
 protected:
  WebSocketProtocolTest() {
    auto [a, b] = stream_pair(loop, 1 << 20);
    peer = std::move(a);
    stream = websocket_stream(loop, std::move(b), WebSocketRole::kServer, 1000);
    reader.emplace(*stream);
    at_peer.emplace(*peer);
  }
  void send(const std::string& bytes) {
    write_text(*peer, bytes);
    settle(loop);
  }
  void send(Opcode opcode, std::string_view payload, bool fin = true) {
    send(frame(opcode, payload, true, fin));
  }
  void expect_error(const std::string& text, std::uint16_t code) {
    EXPECT_TRUE(reader->failed);
    EXPECT_EQ(stream->error().message(), "WebSocket with memory: " + text);
    EXPECT_EQ(at_peer->text, frame(Opcode::kClose, encode_close_payload(code), false));
    EXPECT_EQ(write_text(*stream, "x").outcome, Outcome::kError);
  }

  std::unique_ptr<Stream> peer;
  std::unique_ptr<Stream> stream;
  std::optional<Reader> reader;
  std::optional<Reader> at_peer;
};

TEST_F(WebSocketProtocolTest, JoinsFragmentsAndAnswersPingsBetweenThem) {
  send(Opcode::kBinary, "one ", false);
  send(Opcode::kPing, "are you there?");
  send(Opcode::kContinuation, "two ", false);
  send(Opcode::kPong, "unasked");
  send(Opcode::kContinuation, "", false);
  send(Opcode::kContinuation, "three");
  EXPECT_EQ(reader->text, "one two three");
  EXPECT_EQ(at_peer->text, frame(Opcode::kPong, "are you there?", false));
}

TEST_F(WebSocketProtocolTest, AnswersTheNewestOfSeveralPings) {
  send(frame(Opcode::kPing, "a", true) + frame(Opcode::kPing, "b", true) + frame(Opcode::kPing, "c", true));
  EXPECT_EQ(at_peer->text, frame(Opcode::kPong, "c", false));
}

TEST_F(WebSocketProtocolTest, AnswersPingsByteByByte) {
  for (const char c : frame(Opcode::kPing, std::string(125, 'p'), true)) send(std::string(1, c));
  EXPECT_EQ(at_peer->text, frame(Opcode::kPong, std::string(125, 'p'), false));
}

TEST_F(WebSocketProtocolTest, SendsFramesOfAtMost64KiB) {
  const std::string bytes(100'000, 'x');
  EXPECT_EQ(write_text(*stream, bytes).bytes, bytes.size());
  settle(loop);
  EXPECT_EQ(at_peer->text, frame(Opcode::kBinary, bytes.substr(0, 65536), false) +
                               frame(Opcode::kBinary, bytes.substr(65536), false));
}

TEST_F(WebSocketProtocolTest, PutsPiecesIntoOneFrame) {
  std::string letters = "abc";
  const iovec pieces[] = {{letters.data(), 1}, {letters.data(), 0}, {letters.data() + 1, 2}};
  EXPECT_EQ(stream->write(pieces).bytes, 3U);
  EXPECT_EQ(stream->write({}).outcome, Outcome::kDone);
  settle(loop);
  EXPECT_EQ(at_peer->text, frame(Opcode::kBinary, "abc", false));
}

TEST_F(WebSocketProtocolTest, ThePeersCloseIsTheEndAndAnswered) {
  send(frame(Opcode::kBinary, "bye", true) + frame(Opcode::kClose, encode_close_payload(1001), true) +
       frame(Opcode::kBinary, "too late", true));
  EXPECT_EQ(reader->text, "bye");
  EXPECT_TRUE(reader->ended);
  EXPECT_EQ(at_peer->text, frame(Opcode::kClose, encode_close_payload(1001), false));
  EXPECT_TRUE(at_peer->ended);
}

TEST_F(WebSocketProtocolTest, AnEmptyCloseIsTheEndToo) {
  send(Opcode::kClose, "");
  EXPECT_TRUE(reader->ended);
  EXPECT_EQ(at_peer->text, frame(Opcode::kClose, encode_close_payload(1000), false));
}

TEST_F(WebSocketProtocolTest, AnUnhappyCloseIsAnErrorWithItsReason) {
  send(Opcode::kClose, encode_close_payload(1008) + "token revoked");
  expect_error("closed by the peer with 1008: token revoked", 1008);
}

TEST_F(WebSocketProtocolTest, AnEndBetweenFramesIsTheEnd) {
  send(Opcode::kBinary, "x", false);
  peer->shutdown_write();
  settle(loop);
  EXPECT_TRUE(reader->ended);
}

TEST_F(WebSocketProtocolTest, AnEndInsideAFrameIsAnError) {
  send(frame(Opcode::kBinary, "abc", true).substr(0, 7));
  peer->shutdown_write();
  settle(loop);
  EXPECT_EQ(reader->text, "a");
  EXPECT_TRUE(reader->failed);
  EXPECT_EQ(stream->error().message(), "WebSocket with memory: the connection ended inside a frame");
}

TEST_F(WebSocketProtocolTest, RefusesText) {
  send(Opcode::kText, "hi");
  expect_error("a text message, where only binary ones belong", 1003);
}

TEST_F(WebSocketProtocolTest, RefusesUnmaskedFramesOfAClient) {
  send(frame(Opcode::kBinary, "hi", false));
  expect_error("the client does not mask", 1002);
}

TEST_F(WebSocketProtocolTest, RefusesReservedBits) {
  send("\xc2\x80");
  send("1234");
  expect_error("reserved bits are set", 1002);
}

TEST_F(WebSocketProtocolTest, RefusesLongControlFrames) {
  send(frame(Opcode::kPing, std::string(126, 'x'), true));
  expect_error("a control frame is longer than 125 bytes", 1002);
}

TEST_F(WebSocketProtocolTest, RefusesAMessageThatIsTooLong) {
  send(Opcode::kBinary, std::string(1001, 'x'));
  expect_error("a message of more than 1000 bytes", 1009);
}

TEST_F(WebSocketProtocolTest, RefusesAMessageThatIsTooLongInFragments) {
  send(Opcode::kBinary, std::string(600, 'x'), false);
  send(Opcode::kContinuation, std::string(400, 'x'), false);
  EXPECT_FALSE(reader->failed);
  send(Opcode::kContinuation, "x");
  expect_error("a message of more than 1000 bytes", 1009);
}

TEST_F(WebSocketProtocolTest, CountsEachMessageAlone) {
  for (int i = 0; i < 10; ++i) send(Opcode::kBinary, std::string(1000, 'x'));
  EXPECT_EQ(reader->text.size(), 10'000U);
}

TEST_F(WebSocketProtocolTest, RefusesAMessageInsideAMessage) {
  send(Opcode::kBinary, "a", false);
  send(Opcode::kBinary, "b");
  expect_error("a message begins inside another", 1002);
}

TEST_F(WebSocketProtocolTest, RefusesAContinuationOfNothing) {
  send(Opcode::kContinuation, "a");
  expect_error("a continuation of nothing", 1002);
}

TEST_F(WebSocketProtocolTest, RefusesAMalformedClose) {
  send(Opcode::kClose, "x");
  expect_error("a malformed close frame", 1002);
}

TEST_F(WebSocketProtocolTest, RefusesAFloodOfEmptyFrames) {
  std::string flood;
  for (int i = 0; i < 5000; ++i) flood += frame(Opcode::kPing, "", true);
  std::vector<std::byte> large(64 * 1024);
  write_text(*peer, flood);
  EXPECT_EQ(stream->read(large).outcome, Outcome::kError);
  EXPECT_THAT(stream->error().message(), HasSubstr("a flood of frames without data"));
}

TEST_F(WebSocketTest, AClientRefusesMaskedFrames) {
  auto [peer, lower] = stream_pair(loop);
  auto stream = websocket_stream(loop, std::move(lower), WebSocketRole::kClient);
  write_text(*peer, frame(Opcode::kBinary, "hi", true));
  Reader reader(*stream);
  EXPECT_TRUE(reader.failed);
  EXPECT_EQ(stream->error().message(), "WebSocket with memory: the server masks its frames");
}

TEST_F(WebSocketTest, APongWaitsForTheFrameUnderWay) {
  auto [peer, lower] = stream_pair(loop, 50);
  auto stream = websocket_stream(loop, std::move(lower), WebSocketRole::kServer);
  const std::string data(100, 'd');
  EXPECT_EQ(write_text(*stream, data).bytes, 48U);  // behind a header of two bytes
  write_text(*peer, frame(Opcode::kPing, "?", true));
  Reader reader(*stream);
  Reader at_peer(*peer);
  settle(loop);
  EXPECT_EQ(at_peer.text.size(), 50U);
  EXPECT_EQ(write_text(*stream, data.substr(48)).bytes, 50U);
  settle(loop);
  EXPECT_EQ(write_text(*stream, data.substr(98)).bytes, 2U);
  settle(loop);
  EXPECT_EQ(at_peer.text, frame(Opcode::kBinary, data, false) + frame(Opcode::kPong, "?", false));
}

TEST_F(WebSocketTest, APeerThatPingsAndDoesNotReadCostsNothing) {
  auto [peer, lower] = stream_pair(loop, 200);
  auto stream = websocket_stream(loop, std::move(lower), WebSocketRole::kServer);
  Reader reader(*stream);
  for (int i = 0; i < 1000; ++i) {
    write_text(*peer, frame(Opcode::kPing, "0123456789" + std::to_string(i), true));
    settle(loop);
  }
  EXPECT_FALSE(reader.failed);
  Reader at_peer(*peer);
  settle(loop);
  EXPECT_THAT(at_peer.text, ::testing::EndsWith("0123456789999"));
  EXPECT_LT(at_peer.text.size(), 300U);
}

}  // namespace
}  // namespace towline::io
