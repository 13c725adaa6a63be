#include "io/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/pair.h"
#include "io/testing_tls.h"
#include "io/tls_stream.h"

namespace towline::io {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::Ends;
using ::testing::HasSubstr;
using testing::Reader;
using testing::run_until;
using testing::settle;
using testing::shake;
using testing::Shaken;
using ::testing::StartsWith;
using testing::tcp_pair;
using testing::write_text;

using Shake = Result<std::unique_ptr<Stream>>;

class TlsTest : public ::testing::Test {
 protected:
  Shaken shake_as(const std::string& name, const std::vector<std::string>& alpn = {}) {
    return shake(loop, tcp_pair(loop), setup.client(), setup.server(), name, alpn);
  }

  SystemClock clock;
  Loop loop{clock};
  testing::TlsSetup setup;
};

TEST_F(TlsTest, CarriesBytesAndHalfCloses) {
  auto [client, server] = shake_as("kas.example.com").ends();
  EXPECT_TRUE(client->secure());
  EXPECT_THAT(client->peer(), StartsWith("127.0.0.1:"));
  EXPECT_EQ(server->peer_certificate_subject(), "");
  Reader at_server(*server);
  write_text(*client, "ping");
  client->shutdown_write();
  ASSERT_TRUE(run_until(loop, [&] { return at_server.ended; }));
  EXPECT_EQ(at_server.text, "ping");
  Reader at_client(*client);
  write_text(*server, "pong");
  ASSERT_TRUE(run_until(loop, [&] { return at_client.text == "pong"; }));
  EXPECT_FALSE(at_client.ended);
  server->shutdown_write();
  ASSERT_TRUE(run_until(loop, [&] { return at_client.ended; }));
}

TEST_F(TlsTest, AgreesOnTheServersFirstProtocol) {
  auto both = shake_as("kas.example.com", {"http/1.1", "h2"}).ends();
  EXPECT_EQ(both.first->alpn(), "h2");
  EXPECT_EQ(both.second->alpn(), "h2");
  auto one = shake_as("kas.example.com", {"http/1.1"}).ends();
  EXPECT_EQ(one.second->alpn(), "http/1.1");
  auto none = shake_as("kas.example.com").ends();
  EXPECT_EQ(none.first->alpn(), "");
}

TEST_F(TlsTest, RefusesAClientOfOtherProtocols) {
  const Shaken shaken = shake_as("kas.example.com", {"imap"});
  EXPECT_THAT(shaken.client_error(), HasSubstr("no application protocol"));
  EXPECT_NE(shaken.server_error(), "");
}

TEST_F(TlsTest, AcceptsTheNamesOfTheCertificateOnly) {
  for (const char* name :
       {"kas.example.com", "KAS.Example.COM", "kas.example.com.", "a.wild.example.com", "127.0.0.1", "::1"}) {
    EXPECT_EQ(shake_as(name).client_error(), "") << name;
  }
  for (const char* name : {"kas", "example.com", "a.b.wild.example.com", "127.0.0.2", "::2"}) {
    const std::string error = shake_as(name).client_error();
    EXPECT_THAT(error, HasSubstr("TLS handshake with " + std::string(name) + " (127.0.0.1:"));
    EXPECT_THAT(error, HasSubstr("certificate verify failed: "));
    EXPECT_THAT(error, HasSubstr("mismatch: the certificate is for kas.example.com, *.wild.example.com"));
  }
  EXPECT_THAT(shake_as("").client_error(), HasSubstr("not a server name"));
}

TEST_F(TlsTest, RefusesAnUnknownCa) {
  setup.client_options.ca = make_ca("another").value().certificate_chain;
  const Shaken shaken = shake_as("kas.example.com");
  EXPECT_THAT(shaken.client_error(), HasSubstr("certificate verify failed: "));
  EXPECT_THAT(shaken.client_error(), ::testing::EndsWith("the server's CA is not trusted"));
  EXPECT_THAT(shaken.server_error(),
              ::testing::EndsWith("the peer does not trust the CA of our certificate"));
}

TEST_F(TlsTest, TheSystemStoreDoesNotTrustUs) {
  setup.client_options.ca.clear();
  EXPECT_THAT(shake_as("kas.example.com").client_error(), HasSubstr("the server's CA is not trusted"));
  setup.client_options.ca = setup.ca.certificate_chain;
  setup.client_options.add_system_ca = true;
  EXPECT_EQ(shake_as("kas.example.com").client_error(), "");
}

TEST_F(TlsTest, NamesBothWhenTheChainEndsInAnUnknownCa) {
  setup.server_options.identity.certificate_chain += setup.ca.certificate_chain;
  setup.client_options.ca = make_ca("another").value().certificate_chain;
  EXPECT_THAT(shake_as("kas.example.com").client_error(),
              ::testing::EndsWith("certificate verify failed: self-signed certificate in certificate chain: "
                                  "the server's CA is not trusted"));
}

TEST_F(TlsTest, RefusesAnExpiredCertificate) {
  setup.server_options.identity = make_server_certificate(setup.ca, {"kas.example.com"}, hours(-1)).value();
  EXPECT_THAT(shake_as("kas.example.com").client_error(),
              HasSubstr("certificate has expired: the certificate was valid until "));
}

TEST_F(TlsTest, SkipsVerificationWhenTold) {
  setup.client_options = {.insecure_skip_verify = true};
  EXPECT_EQ(shake_as("other.example.com").client_error(), "");
}

TEST_F(TlsTest, KnowsTheClientByItsCertificate) {
  setup.server_options.client_ca = setup.ca.certificate_chain;
  setup.client_options.identity = make_client_certificate(setup.ca, "agent-7", hours(1)).value();
  auto [client, server] = shake_as("kas.example.com").ends();
  EXPECT_EQ(server->peer_certificate_subject(), "CN=agent-7");
  EXPECT_EQ(client->peer_certificate_subject(), "");
}

TEST_F(TlsTest, TellsAClientThatItsCertificateIsMissing) {
  setup.server_options.client_ca = setup.ca.certificate_chain;
  Shaken shaken = shake_as("kas.example.com");
  EXPECT_THAT(shaken.server_error(), HasSubstr("the client has shown no certificate"));
  Stream& client = *shaken.client->value();
  Reader reader(client);
  ASSERT_TRUE(run_until(loop, [&] { return reader.failed; }));
  EXPECT_THAT(client.error().message(), StartsWith("TLS with kas.example.com (127.0.0.1:"));
  EXPECT_THAT(client.error().message(), HasSubstr("the server asks for a client certificate"));
}

TEST_F(TlsTest, RefusesAClientCertificateOfAnotherCaOrPurpose) {
  setup.server_options.client_ca = setup.ca.certificate_chain;
  const TlsIdentity other = make_ca("another").value();
  setup.client_options.identity = make_client_certificate(other, "agent-7", hours(1)).value();
  EXPECT_THAT(shake_as("kas.example.com").server_error(), HasSubstr("the client's CA is not trusted"));
  setup.client_options.identity = setup.server_options.identity;
  EXPECT_THAT(shake_as("kas.example.com").server_error(), HasSubstr("certificate verify failed"));
}

TEST_F(TlsTest, ReplacedCertificatesAreForNewConnections) {
  auto server = setup.server();
  Ends old = shake(loop, tcp_pair(loop), setup.client(), server).ends();
  testing::TlsSetup other;
  EXPECT_FALSE(server->replace({}).ok());
  ASSERT_TRUE(server->replace(other.server_options).ok());
  EXPECT_NE(shake(loop, tcp_pair(loop), setup.client(), server).client_error(), "");
  EXPECT_EQ(shake(loop, tcp_pair(loop), other.client(), server).client_error(), "");
  Reader reader(*old.second);
  write_text(*old.first, "still here");
  EXPECT_TRUE(run_until(loop, [&] { return reader.text == "still here"; }));
}

TEST_F(TlsTest, AnEndWithoutCloseNotifyIsAnEnd) {
  Ends lower = tcp_pair(loop);
  Stream* raw = lower.first.get();
  auto [client, server] = shake(loop, std::move(lower), setup.client(), setup.server()).ends();
  Reader reader(*server);
  write_text(*client, "x");
  raw->shutdown_write();
  ASSERT_TRUE(run_until(loop, [&] { return reader.ended || reader.failed; }));
  EXPECT_TRUE(reader.ended);
  EXPECT_EQ(reader.text, "x");
}

TEST_F(TlsTest, ABrokenConnectionIsTheLowerStreamsError) {
  auto [client, server] = shake_as("kas.example.com").ends();
  write_text(*client, "unread");
  settle(loop);
  server.reset();
  Reader reader(*client);
  ASSERT_TRUE(run_until(loop, [&] { return reader.failed; }));
  EXPECT_THAT(client->error().message(), HasSubstr("Connection reset by peer"));
}

TEST_F(TlsTest, RefusesTls11) {
  Ends lower = tcp_pair(loop);
  const SslCtxPtr old(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_max_proto_version(old.get(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(old.get(), "ALL:@SECLEVEL=0");
  SslPtr ssl(SSL_new(old.get()));
  SSL_set_connect_state(ssl.get());
  TlsStream client(std::move(lower.first), std::move(ssl), "old");
  std::optional<Shake> result;
  auto accepting = tls_accept(loop, std::move(lower.second), setup.server(), seconds(30),
                              [&](Shake r) { result = std::move(r); });
  Outcome outcome = client.handshake();
  ASSERT_TRUE(run_until(loop, [&] {
    if (outcome == Outcome::kWouldBlock) outcome = client.handshake();
    return result.has_value() && outcome != Outcome::kWouldBlock;
  }));
  ASSERT_FALSE(result->has_value());
  EXPECT_THAT(result->error().message(), HasSubstr("both sides need TLS 1.2 or later"));
  EXPECT_EQ(outcome, Outcome::kError);
  EXPECT_THAT(client.error().message(), HasSubstr("both sides need TLS 1.2 or later"));
}

TEST_F(TlsTest, RefusesWhatIsNotTls) {
  for (const auto& [text, reason] : {std::pair{"GET / HTTP/1.1\r\n\r\n", "the client speaks plain HTTP"},
                                     std::pair{"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "does not speak TLS"}}) {
    Ends lower = tcp_pair(loop);
    std::optional<Shake> result;
    auto accepting = tls_accept(loop, std::move(lower.second), setup.server(), seconds(30),
                                [&](Shake r) { result = std::move(r); });
    write_text(*lower.first, text);
    ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
    ASSERT_FALSE(result->has_value());
    EXPECT_THAT(result->error().message(), HasSubstr(reason));
  }
  Ends lower = tcp_pair(loop);
  std::optional<Shake> result;
  auto connecting = tls_connect(loop, std::move(lower.first), setup.client(), "kas.example.com", {},
                                seconds(30), [&](Shake r) { result = std::move(r); });
  write_text(*lower.second, "HTTP/1.1 400 Bad Request\r\n\r\n");
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_THAT(result->error().message(), HasSubstr("the peer does not speak TLS on this port"));
}

TEST_F(TlsTest, APeerThatLeavesDuringTheHandshakeIsNamed) {
  Ends lower = tcp_pair(loop);
  std::optional<Shake> result;
  auto connecting = tls_connect(loop, std::move(lower.first), setup.client(), "kas.example.com", {},
                                seconds(30), [&](Shake r) { result = std::move(r); });
  lower.second->shutdown_write();
  EXPECT_FALSE(result.has_value());
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_THAT(result->error().message(), HasSubstr("the peer closed the connection during the handshake"));
}

TEST_F(TlsTest, ASilentPeerTimesOut) {
  FakeClock fake;
  Loop frozen(fake);
  auto [a, b] = stream_pair(frozen);
  std::optional<Shake> result;
  auto connecting = tls_connect(frozen, std::move(a), setup.client(), "kas.example.com", {}, seconds(10),
                                [&](Shake r) { result = std::move(r); });
  frozen.poll();
  EXPECT_FALSE(result.has_value());
  fake.advance(seconds(10));
  frozen.poll();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->error(),
            Status(Code::kDeadlineExceeded,
                   "TLS handshake with kas.example.com (memory): no answer within 10000 ms"));
}

TEST_F(TlsTest, DestroyingTheOperationCancelsIt) {
  Ends lower = tcp_pair(loop);
  auto connecting = tls_connect(loop, std::move(lower.first), setup.client(), "kas.example.com", {},
                                seconds(30), [](Shake) { ADD_FAILURE(); });
  auto accepting =
      tls_accept(loop, std::move(lower.second), setup.server(), seconds(30), [](Shake) { ADD_FAILURE(); });
  connecting.reset();
  accepting.reset();
  settle(loop);
}

TEST_F(TlsTest, OperationAndStreamMayBeDestroyedInTheCallback) {
  Ends lower = tcp_pair(loop);
  std::unique_ptr<Operation> connecting;
  std::unique_ptr<Operation> accepting;
  connecting = tls_connect(loop, std::move(lower.first), setup.client(), "kas.example.com", {}, seconds(30),
                           [&](Shake) { connecting.reset(); });
  accepting = tls_accept(loop, std::move(lower.second), setup.server(), seconds(30),
                         [&](Shake) { accepting.reset(); });
  EXPECT_TRUE(run_until(loop, [&] { return connecting == nullptr && accepting == nullptr; }));
}

TEST_F(TlsTest, MayBeDestroyedInItsCallbacks) {
  struct Killer final : StreamHandler {
    void on_readable() override { stream.reset(); }
    void on_writable() override { stream.reset(); }
    std::unique_ptr<Stream> stream;
  } killer;
  Ends ends = shake_as("kas.example.com").ends();
  killer.stream = std::move(ends.second);
  killer.stream->set_handler(&killer);
  std::byte buffer[10];
  EXPECT_EQ(killer.stream->read(buffer).outcome, Outcome::kWouldBlock);
  write_text(*ends.first, "x");
  EXPECT_TRUE(run_until(loop, [&] { return killer.stream == nullptr; }));
}

TEST_F(TlsTest, TheDialerPutsTlsOnTop) {
  std::unique_ptr<Operation> accepting;
  std::unique_ptr<Stream> server;
  auto listener = listen(loop, "127.0.0.1", 0, false, [&](std::unique_ptr<Stream> stream) {
    accepting = tls_accept(loop, std::move(stream), setup.server(), seconds(30), [&](Shake r) {
      if (r) server = std::move(*r);
    });
  });
  auto resolver = system_resolver();
  auto dialer = direct_dialer(*resolver);
  std::optional<Shake> result;
  const auto keep = [&](Shake r) { result = std::move(r); };
  DialTarget target{.host = "127.0.0.1", .port = (*listener)->port(), .tls = setup.client(), .alpn = {"h2"}};
  auto operation = dialer->dial(loop, target, seconds(30), keep);
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value() && server != nullptr; }));
  ASSERT_TRUE(result->has_value()) << result->error().to_string();
  EXPECT_EQ((**result)->alpn(), "h2");

  result.reset();
  target.tls_server_name = "elsewhere.example.com";
  operation = dialer->dial(loop, target, seconds(30), keep);
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_THAT(result->error().message(), StartsWith("TLS handshake with elsewhere.example.com (127.0.0.1:"));
}

}  // namespace
}  // namespace towline::io
