#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "base/clock.h"
#include "grpc/client.h"
#include "grpc/frame.h"
#include "grpc/server.h"
#include "grpc/wire.h"
#include "http/client.h"
#include "http/server.h"
#include "io/loop.h"
#include "io/pair.h"

namespace towline::grpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string framed(std::string_view message, bool compressed = false) {
  const auto prefix = message_prefix(message.size());
  std::string out(reinterpret_cast<const char*>(prefix.data()), prefix.size());
  if (compressed) out[0] = 1;
  return out.append(message);
}

// Feeds `body` in pieces of `step` bytes and returns the messages, or the error's text.
std::vector<std::string> deframe(std::string_view body, std::size_t step, std::size_t limit = kMaxMessage) {
  Deframer deframer(limit);
  std::vector<std::string> out;
  for (std::size_t at = 0; at < body.size(); at += step) {
    const std::string_view piece = body.substr(at, step);
    deframer.push(message_view(piece));
    while (true) {
      const auto message = deframer.next();
      if (!message) {
        out.push_back("error: " + message.error().to_string());
        return out;
      }
      if (!message->has_value()) break;
      out.emplace_back(text_view(**message));
    }
  }
  if (!deframer.at_boundary()) out.emplace_back("unfinished");
  return out;
}

TEST(Deframer, FindsMessagesHoweverTheBodyIsCut) {
  const std::string body = framed("one") + framed("") + framed(std::string(1000, 'x')) + framed("two");
  for (const std::size_t step : {1U, 2U, 3U, 5U, 7U, 100U, 10'000U}) {
    EXPECT_THAT(deframe(body, step), ElementsAre("one", "", std::string(1000, 'x'), "two")) << step;
  }
}

TEST(Deframer, InflatesGzip) {
  const std::string text(5000, 'z');
  EXPECT_THAT(deframe(framed(gzip(text), true), 7), ElementsAre(text));
  EXPECT_THAT(deframe(framed(gzip(""), true), 100), ElementsAre(""));
}

TEST(Deframer, RefusesWhatIsTooLargeBeforeItIsThere) {
  EXPECT_THAT(deframe(framed(std::string(11, 'x')).substr(0, 6), 1, 10)[0], HasSubstr("over the limit"));
  EXPECT_THAT(deframe(framed(std::string(11, 'x')), 100, 10)[0], HasSubstr("over the limit"));
}

TEST(Deframer, RefusesAGzipBomb) {
  EXPECT_THAT(deframe(framed(gzip(std::string(1'000'000, 'x')), true), 100'000, 10'000)[0],
              HasSubstr("over the limit"));
}

TEST(Deframer, RefusesBrokenGzipAndFlags) {
  EXPECT_THAT(deframe(framed("not gzip", true), 100)[0], HasSubstr("gzip"));
  EXPECT_THAT(deframe(framed(gzip("hello").substr(0, 10), true), 100)[0], HasSubstr("gzip"));
  std::string bad = framed("x");
  bad[0] = 7;
  EXPECT_THAT(deframe(bad, 100)[0], HasSubstr("prefix"));
}

TEST(Wire, TimeoutsRoundTripAndRoundUp) {
  EXPECT_EQ(encode_timeout(seconds(20)), "20000000u");
  EXPECT_EQ(decode_timeout(encode_timeout(seconds(20))), seconds(20));
  EXPECT_EQ(decode_timeout("1500m"), milliseconds(1500));
  EXPECT_EQ(decode_timeout("2H"), std::chrono::hours(2));
  EXPECT_FALSE(decode_timeout("123456789S").has_value());
  EXPECT_FALSE(decode_timeout("S").has_value());
  EXPECT_FALSE(decode_timeout("5x").has_value());
  EXPECT_GT(decode_timeout("99999999H").value(), std::chrono::hours(24 * 365));
}

TEST(Wire, MessagesArePercentEncoded) {
  EXPECT_EQ(encode_message("50% \n\xc3\xa4"), "50%25 %0A%C3%A4");
  EXPECT_EQ(decode_message(encode_message("50% \n\xc3\xa4")), "50% \n\xc3\xa4");
  EXPECT_EQ(decode_message("50%"), "50%");
}

struct Call final : ClientCallHandler {
  void on_metadata(Metadata m) override { metadata = std::move(m); }
  void on_message(MessageView m) override {
    messages.emplace_back(text_view(m));
    if (consume) call->consume(m.size());
  }
  void on_finish(Status s, Metadata t) override {
    status = std::move(s);
    trailers = std::move(t);
  }
  std::unique_ptr<ClientCall> call;
  Metadata metadata, trailers;
  std::vector<std::string> messages;
  std::optional<Status> status;
  bool consume = true;
};

struct Served final : ServerCallHandler {
  void on_message(MessageView m) override {
    messages.emplace_back(text_view(m));
    bytes += m.size();
    if (consume) in.call->consume(m.size());
  }
  void on_half_close() override { half_closed = true; }
  void on_cancelled(Status s) override { cancelled = std::move(s); }
  IncomingCall in;
  std::vector<std::string> messages;
  std::size_t bytes = 0;
  bool half_closed = false;
  bool consume = true;
  std::optional<Status> cancelled;
};

class GrpcTest : public ::testing::Test {
 protected:
  GrpcTest() {
    auto [a, b] = io::stream_pair(loop);
    add("/test.Service/Stream");
    server.add("/test.Service/Echo",
               unary([](std::string request, const Metadata&, io::Loop&, UnaryReply reply) {
                 if (request == "bad") return reply(fail(Code::kInvalidArgument, "bad request: 50%"));
                 reply("echo " + request);
               }));
    server_connection = http::serve_http2(loop, std::move(a), server, {}, [] {});
    connection = http::connect_http2(loop, std::move(b), {}, [](Status) {});
    channel.emplace(loop, *connection, ChannelOptions{.authority = "kas", .user_agent = "test"});
    settle();
  }
  void add(const std::string& method, MethodOptions options = {}) {
    const auto handler = [this](IncomingCall call) {
      served.push_back(std::make_unique<Served>());
      served.back()->in = std::move(call);
      served.back()->in.call->set_handler(served.back().get());
    };
    server.add(method, handler, options);
  }
  void settle() {
    while (loop.poll() > 0) {
    }
  }
  std::unique_ptr<Call> start(const std::string& method, Metadata metadata = {},
                              std::optional<std::chrono::nanoseconds> timeout = std::nullopt) {
    auto call = std::make_unique<Call>();
    call->call = channel->call(method, metadata, call.get(), timeout);
    return call;
  }

  FakeClock clock;
  io::Loop loop{clock};
  Server server;
  std::vector<std::unique_ptr<Served>> served;
  std::unique_ptr<http::ServerConnection> server_connection;
  std::unique_ptr<http::ClientConnection> connection;
  std::optional<Channel> channel;
};

TEST_F(GrpcTest, UnaryCallsAreAnswered) {
  std::optional<Result<std::string>> answer;
  auto call =
      channel->unary("/test.Service/Echo", "hello", seconds(5), [&](auto r) { answer = std::move(r); });
  settle();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->value(), "echo hello");
}

TEST_F(GrpcTest, UnaryErrorsCarryCodeAndMessage) {
  std::optional<Result<std::string>> answer;
  auto call = channel->unary("/test.Service/Echo", "bad", seconds(5), [&](auto r) { answer = std::move(r); });
  settle();
  ASSERT_TRUE(answer && !answer->has_value());
  EXPECT_EQ(answer->error(), Status(Code::kInvalidArgument, "bad request: 50%"));
}

TEST_F(GrpcTest, AUnaryCallWithoutAMessageIsRefused) {
  auto call = start("/test.Service/Echo");
  call->call->half_close();
  settle();
  EXPECT_EQ(call->status->code(), Code::kInvalidArgument);
}

TEST_F(GrpcTest, BothWaysStreamAtOnce) {
  auto call =
      start("/test.Service/Stream", {{"x-key", "value"}, {"x-raw-bin", std::string_view("\0\1\2", 3)}});
  call->call->send(message_view("one"));
  settle();
  ASSERT_EQ(served.size(), 1U);
  Served& s = *served[0];
  EXPECT_EQ(s.in.metadata.get("x-key"), "value");
  EXPECT_EQ(s.in.metadata.get("x-raw-bin"), std::string_view("\0\1\2", 3));
  EXPECT_THAT(s.messages, ElementsAre("one"));
  s.in.call->send_metadata({{"x-answer", "1"}});
  s.in.call->send(message_view("eins"));
  settle();
  EXPECT_EQ(call->metadata.get("x-answer"), "1");
  EXPECT_THAT(call->messages, ElementsAre("eins"));
  call->call->send(message_view("two"));
  call->call->half_close();
  settle();
  EXPECT_TRUE(s.half_closed);
  s.in.call->finish(Status(), {{"x-trailer", "2"}});
  settle();
  ASSERT_TRUE(call->status.has_value());
  EXPECT_TRUE(call->status->ok());
  EXPECT_EQ(call->trailers.get("x-trailer"), "2");
}

TEST_F(GrpcTest, UnknownMethodsAreUnimplementedOrGoToTheFallback) {
  auto call = start("/test.Service/None");
  settle();
  EXPECT_EQ(call->status->code(), Code::kUnimplemented);
  std::string seen;
  server.set_fallback([&](IncomingCall in) {
    seen = in.method;
    in.call->finish(Status(Code::kNotFound, "fallback"));
  });
  auto again = start("/test.Service/None");
  settle();
  EXPECT_EQ(seen, "/test.Service/None");
  EXPECT_EQ(again->status->code(), Code::kNotFound);
}

TEST_F(GrpcTest, TheDeadlineEndsBothEnds) {
  auto call = start("/test.Service/Stream", {}, seconds(5));
  settle();
  clock.advance(seconds(5));
  settle();
  ASSERT_TRUE(call->status && served[0]->cancelled);
  EXPECT_EQ(call->status->code(), Code::kDeadlineExceeded);
}

TEST_F(GrpcTest, DroppingACallCancelsIt) {
  auto call = start("/test.Service/Stream");
  settle();
  call->call.reset();
  settle();
  ASSERT_TRUE(served[0]->cancelled.has_value());
  EXPECT_EQ(served[0]->cancelled->code(), Code::kCancelled);
}

TEST_F(GrpcTest, AReceiverThatDoesNotConsumeStopsTheSender) {
  auto call = start("/test.Service/Stream");
  settle();
  served[0]->consume = false;
  const std::string block(16 * 1024, 'x');
  for (int i = 0; i < 256; ++i) call->call->send(message_view(block));
  settle();
  EXPECT_LE(served[0]->bytes, 800U * 1024);
  EXPECT_GT(call->call->unsent(), 3U * 1024 * 1024);
  served[0]->consume = true;
  served[0]->in.call->consume(served[0]->bytes);
  settle();
  EXPECT_EQ(served[0]->bytes, 256U * block.size());
}

TEST_F(GrpcTest, AMessageLargerThanTheWindowPasses) {
  auto call = start("/test.Service/Stream");
  settle();
  served[0]->consume = false;
  const std::string block(4 * 1024 * 1024, 'x');
  call->call->send(message_view(block));
  settle();
  EXPECT_EQ(served[0]->bytes, block.size());
}

// A plain HTTP client, to send what our own client does not.
struct Raw final : http::ExchangeHandler {
  void on_response(http::ResponseHead head, bool) override { response = std::move(head); }
  void on_body(std::span<const std::byte>) override {}
  void on_end(http::Headers t) override { trailers = std::move(t); }
  void on_failed(Status) override {}
  std::optional<http::ResponseHead> response;
  http::Headers trailers;
};

TEST_F(GrpcTest, CompressedMessagesAreAccepted) {
  Raw raw;
  auto exchange =
      connection->open({.method = "POST",
                        .target = "/test.Service/Stream",
                        .authority = "kas",
                        .headers = {{"content-type", "application/grpc+proto"}, {"grpc-encoding", "gzip"}}},
                       false, &raw);
  const std::string body = framed(gzip("squeezed"), true);
  exchange->write(message_view(body));
  settle();
  EXPECT_THAT(served[0]->messages, ElementsAre("squeezed"));
}

TEST_F(GrpcTest, RequestsThatAreNotGrpcAreRefused) {
  Raw raw;
  auto exchange =
      connection->open({.method = "GET", .target = "/test.Service/Echo", .authority = "kas"}, true, &raw);
  settle();
  EXPECT_EQ(raw.response->status, 415);
  Raw other;
  auto encoded =
      connection->open({.method = "POST",
                        .target = "/test.Service/Echo",
                        .authority = "kas",
                        .headers = {{"content-type", "application/grpc"}, {"grpc-encoding", "br"}}},
                       false, &other);
  settle();
  EXPECT_EQ(other.response->headers.get("grpc-status"), "12");
}

TEST_F(GrpcTest, AnHttpServerThatIsNotGrpcIsNamed) {
  EXPECT_EQ(status_from_http(404).code(), Code::kUnimplemented);
  EXPECT_THAT(status_from_http(502).message(), HasSubstr("502"));
}

TEST_F(GrpcTest, AMethodsOwnLimitOfMessagesIsKeptAndCanBeRaised) {
  add("/test.Service/Small", {.max_message = 100});
  auto call = start("/test.Service/Small");
  call->call->send(message_view(std::string(100, 'x')));
  settle();
  served[0]->in.call->set_message_limit(1000);
  call->call->send(message_view(std::string(1000, 'x')));
  settle();
  EXPECT_EQ(served[0]->bytes, 1100U);
  auto other = start("/test.Service/Small");
  other->call->send(message_view(std::string(101, 'x')));
  settle();
  ASSERT_TRUE(other->status.has_value());
  EXPECT_EQ(other->status->code(), Code::kResourceExhausted);
}

TEST_F(GrpcTest, StrangersHaveFewCallsAndBytesUntilTheyAreKnown) {
  add("/test.Service/Guarded", {.guarded = true});
  std::vector<std::unique_ptr<Call>> calls;
  for (std::size_t i = 0; i < kMaxStrangers; ++i) calls.push_back(start("/test.Service/Guarded"));
  settle();
  auto refused = start("/test.Service/Guarded");
  settle();
  ASSERT_TRUE(refused->status.has_value());
  EXPECT_EQ(refused->status->code(), Code::kResourceExhausted);
  const std::string half(kMaxStrangersBytes / 2, 'x');
  for (int i = 0; i < 2; ++i) {
    calls[i]->call->send(message_view(half));
    settle();
  }
  EXPECT_FALSE(calls[0]->status.has_value());
  ASSERT_TRUE(calls[1]->status.has_value());
  EXPECT_EQ(calls[1]->status->code(), Code::kResourceExhausted);

  served[0]->in.call->caller_is_known();
  for (int i = 0; i < 3; ++i) calls[2]->call->send(message_view(half));
  auto welcome = start("/test.Service/Guarded");
  settle();
  EXPECT_FALSE(calls[2]->status.has_value());
  EXPECT_FALSE(welcome->status.has_value());
}

}  // namespace
}  // namespace towline::grpc
