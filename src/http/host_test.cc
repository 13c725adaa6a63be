#include "http/host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "http/addresses.h"
#include "http/http1_test_support.h"

namespace towline::http {
namespace {

// A client's socket, blocking.
class Socket {
 public:
  explicit Socket(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  std::string ask(std::string_view text) {
    if (!connected_ || ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) < 0) return {};
    char buffer[4096];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
  }
  bool is_closed() {
    char byte = 0;
    const ssize_t n = ::recv(fd_, &byte, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
  }

 private:
  int fd_;
  bool connected_ = false;
};

struct HostTest : testing::Test, RequestHandler {
  void on_request(RequestHead head, bool, std::unique_ptr<ServerExchange> exchange) override {
    if (head.target == "/known") exchange->peer_is_known();
    send(*exchange, {.body = "hello"});
  }
  void start(HostOptions options) {
    options.host = "127.0.0.1";
    host = *Host::start(loops, std::move(options), *this, Logger());
  }
  ~HostTest() override { loops.join(); }

  static constexpr std::string_view kAsk = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  static constexpr std::string_view kKnown = "GET /known HTTP/1.1\r\nHost: a\r\n\r\n";
  SystemClock clock;
  io::LoopGroup loops{1, clock};
  std::unique_ptr<Host> host;
};

TEST_F(HostTest, AFullHostClosesTheOldestStrangerForANewcomer) {
  start({.max_connections = 2});
  Socket known(host->port());
  EXPECT_NE(known.ask(kKnown), "");
  Socket silent(host->port());
  while (host->connections() < 2) std::this_thread::yield();
  Socket newcomer(host->port());
  EXPECT_NE(newcomer.ask(kAsk), "");
  EXPECT_TRUE(silent.is_closed());
  EXPECT_NE(known.ask(kAsk), "");
}

TEST_F(HostTest, AHostThatIsFullOfKnownPeersRefusesNewcomers) {
  start({.max_connections = 1});
  Socket known(host->port());
  EXPECT_NE(known.ask(kKnown), "");
  Socket newcomer(host->port());
  EXPECT_TRUE(newcomer.is_closed());
  EXPECT_NE(known.ask(kAsk), "");
}

TEST_F(HostTest, AnAddressHasItsShareOfConnections) {
  start({.max_connections = 320, .spare_loopback = false});
  std::vector<std::unique_ptr<Socket>> held;
  for (int i = 0; i < 32; ++i) {
    held.push_back(std::make_unique<Socket>(host->port()));
    EXPECT_NE(held.back()->ask(kAsk), "") << i;
  }
  EXPECT_TRUE(Socket(host->port()).is_closed());
  held.pop_back();
  while (host->connections() > 31) std::this_thread::yield();
  EXPECT_NE(Socket(host->port()).ask(kAsk), "");
}

TEST(Addresses, AreOneForAllPortsAndForAnIPv6Customer) {
  Addresses addresses;
  const auto first = addresses.find("192.0.2.1:443");
  EXPECT_EQ(addresses.find("192.0.2.1:80"), first);
  EXPECT_EQ(addresses.find("[::ffff:192.0.2.1]:80"), first);
  EXPECT_NE(addresses.find("192.0.2.2:80"), first);
  const auto customer = addresses.find("[2001:db8:0:1::1]:443");
  EXPECT_EQ(addresses.find("[2001:db8:0:1:ffff::2]:443"), customer);
  EXPECT_NE(addresses.find("[2001:db8:0:2::1]:443"), customer);
  EXPECT_EQ(addresses.find("memory"), nullptr);
}

TEST(Addresses, ForgetWhatNobodyHolds) {
  Addresses addresses;
  for (int i = 0; i < 100'000; ++i) {
    addresses.find("10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
                   std::to_string(i & 255) + ":1");
  }
  EXPECT_LE(addresses.size(), 1024U);
}

}  // namespace
}  // namespace towline::http
