#include "http/host.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <list>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "http/addresses.h"
#include "http/error_response.h"
#include "http/load.h"
#include "io/listen.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/tls.h"

namespace towline::http {
namespace {

// The first byte of a TLS handshake record (RFC 8446, section 5.1); no HTTP method begins with it.
constexpr std::byte kTlsHandshake{0x16};

bool is_loopback(std::string_view peer) {
  return peer.starts_with("127.") || peer.starts_with("[::1]") || peer.starts_with("[::ffff:127.");
}

// An office behind one address has some connections even where a host may have few.
constexpr std::size_t kLeastShare = 32;
// How many old strangers are looked at for one that has no request under way.
constexpr int kEvictionLooks = 64;
// A host that is full, or one address that has too many connections, is told of once in this time.
constexpr std::chrono::seconds kWarnEvery{10};

struct Shared {
  HostOptions options;
  RequestHandler& handler;
  Logger log;
  std::shared_ptr<Load> load = std::make_shared<Load>();
  Addresses addresses{};

  std::size_t address_cap() const {
    const auto share =
        static_cast<std::size_t>(static_cast<double>(options.max_connections) * options.address_share);
    return std::max(share, kLeastShare);
  }
  // Null where the address has no cap.
  std::shared_ptr<Load> address_load(std::string_view peer) {
    const bool spared = (options.spare_loopback && is_loopback(peer)) || options.proxies.has(peer);
    return spared ? nullptr : addresses.find(peer);
  }
};

// What one loop has accepted. Lives on its loop.
class Shard {
 public:
  Shard(io::Loop& loop, Shared& shared) : loop_(loop), shared_(shared), random_(std::random_device{}()) {}

  Status listen(std::uint16_t port, bool shared_port) {
    auto listener = io::listen(loop_, shared_.options.host, port, shared_port,
                               [this](std::unique_ptr<io::Stream> stream) { accepted(std::move(stream)); });
    if (!listener) return listener.error();
    listener_ = std::move(*listener);
    return {};
  }
  std::uint16_t port() const { return listener_->port(); }

  void adopt(std::unique_ptr<io::Stream> stream, RequestHandler& handler) {
    Entry& entry = add(shared_.address_load(stream->peer()));
    start(entry, std::move(stream), &handler);
  }

  void drain(std::move_only_function<void()> drained) {
    listener_.reset();
    drained_ = std::move(drained);
    // Handshakes under way have promised nobody anything.
    strangers_.remove_if([&](const Entry& each) { return each.connection == nullptr; });
    for (Entry& each : strangers_) each.connection->drain();
    for (Entry& each : known_) each.connection->drain();
    check_drained();
  }

 private:
  // A connection from its acceptance to its end.
  struct Entry final : io::StreamHandler {
    Entry(Shard& s, std::shared_ptr<Load> address) : shard(s), loads{s.shared_.load, std::move(address)} {
      loads.host->connections.fetch_add(1, std::memory_order_relaxed);
      if (loads.address) loads.address->connections.fetch_add(1, std::memory_order_relaxed);
    }
    ~Entry() {
      loads.host->connections.fetch_sub(1, std::memory_order_relaxed);
      if (loads.address) loads.address->connections.fetch_sub(1, std::memory_order_relaxed);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    void on_readable() override { shard.first_byte(*this); }
    void on_writable() override {}

    Shard& shard;
    const Loads loads;
    std::list<Entry>* home = nullptr;
    std::list<Entry>::iterator self;
    std::unique_ptr<io::Stream> raw;  // until its first byte is known
    std::unique_ptr<io::Timer> deadline;
    std::unique_ptr<io::Operation> handshake;
    std::unique_ptr<ServerConnection> connection;
  };

  Entry& add(std::shared_ptr<Load> address) {
    Entry& entry = strangers_.emplace_back(*this, std::move(address));
    entry.self = std::prev(strangers_.end());
    entry.home = &strangers_;
    return entry;
  }
  void remove(Entry& entry) {
    entry.home->erase(entry.self);
    check_drained();
  }

  // Closes the oldest connection here whose peer has not proved who it is, an idle one if one is near.
  bool evict() {
    auto victim = strangers_.end();
    int looks = 0;
    for (auto it = strangers_.begin(); it != strangers_.end() && looks < kEvictionLooks;) {
      const auto each = it++;
      if (each->connection != nullptr && each->connection->is_known()) {
        known_.splice(known_.end(), strangers_, each);
        each->home = &known_;
        continue;
      }
      if (victim == strangers_.end()) victim = each;
      ++looks;
      if (each->connection != nullptr && each->connection->active() > 0) continue;
      victim = each;
      break;
    }
    if (victim == strangers_.end()) return false;
    remove(*victim);
    return true;
  }

  void warn(std::string_view what, std::string_view peer) {
    if (warned_ && loop_.now() - *warned_ < kWarnEvery) return;
    warned_ = loop_.now();
    shared_.log.warn(what, {{"limit", shared_.options.max_connections}, {"peer", peer}});
  }

  void accepted(std::unique_ptr<io::Stream> stream) {
    std::shared_ptr<Load> address = shared_.address_load(stream->peer());
    if (address && address->connections.load(std::memory_order_relaxed) >= shared_.address_cap()) {
      return warn("too many connections of one address: one was refused", stream->peer());
    }
    const bool full =
        shared_.load->connections.load(std::memory_order_relaxed) >= shared_.options.max_connections;
    if (full) warn("too many connections: a stranger's was closed, or a new one refused", stream->peer());
    if (full && !evict()) return;
    Entry& entry = add(std::move(address));
    if (shared_.options.tls == nullptr) return start(entry, std::move(stream));
    entry.raw = std::move(stream);
    entry.raw->set_handler(&entry);
    entry.deadline = std::make_unique<io::Timer>(loop_, [this, &entry] { remove(entry); });
    entry.deadline->start(shared_.options.handshake_timeout);
    first_byte(entry);
  }

  void first_byte(Entry& entry) {
    std::array<std::byte, 1024> buffer{};
    const io::Transfer got = entry.raw->read(buffer);
    if (got.outcome == io::Outcome::kWouldBlock) return;
    if (got.outcome != io::Outcome::kDone) return remove(entry);
    entry.deadline.reset();
    entry.raw->set_handler(nullptr);
    const bool tls = buffer[0] == kTlsHandshake;
    if (!tls && !cleartext_allowed(entry.raw->peer())) {
      shared_.log.debug("a connection without TLS was refused", {{"peer", entry.raw->peer()}});
      return refuse_cleartext(entry);
    }
    std::unique_ptr<io::Stream> stream = io::unread(
        std::move(entry.raw), std::string(reinterpret_cast<const char*>(buffer.data()), got.bytes));
    if (!tls) return start(entry, std::move(stream));
    entry.handshake =
        io::tls_accept(loop_, std::move(stream), shared_.options.tls, shared_.options.handshake_timeout,
                       [this, &entry](Result<std::unique_ptr<io::Stream>> result) {
                         const auto finished = std::move(entry.handshake);
                         if (!result) {
                           shared_.log.debug("TLS handshake failed", {{"error", result.error().message()}});
                           return remove(entry);
                         }
                         start(entry, std::move(*result));
                       });
  }

  bool cleartext_allowed(std::string_view peer) const {
    switch (shared_.options.cleartext) {
      case Cleartext::kAllow:
        return true;
      case Cleartext::kDeny:
        return false;
      case Cleartext::kLoopback:
        return is_loopback(peer);
    }
    return false;
  }

  void refuse_cleartext(Entry& entry) {
    const Response response = error_response(400, "this port speaks TLS: use https, wss or grpcs addresses");
    const std::string answer =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n" +
        ("Content-Length: " + std::to_string(response.body.size()) + "\r\n\r\n") + response.body;
    io::write(*entry.raw, std::as_bytes(std::span(answer)));
    entry.raw->shutdown_write();
    remove(entry);
  }

  // `http2`: what serves a connection that speaks nothing else.
  void start(Entry& entry, std::unique_ptr<io::Stream> stream, RequestHandler* http2 = nullptr) {
    ServerConnectionOptions options = shared_.options.connection;
    options.loads = entry.loads;
    if (options.max_age.count() > 0) {
      options.max_age -= options.max_age * std::uniform_int_distribution<int>(0, 100)(random_) / 1000;
    }
    auto closed = [this, &entry] { remove(entry); };
    entry.connection =
        http2 != nullptr ? serve_http2(loop_, std::move(stream), *http2, options, std::move(closed))
                         : http::serve(loop_, std::move(stream), shared_.handler, options, std::move(closed));
    if (drained_) entry.connection->drain();
  }

  void check_drained() {
    if (drained_ && strangers_.empty() && known_.empty()) std::exchange(drained_, {})();
  }

  io::Loop& loop_;
  Shared& shared_;
  std::minstd_rand random_;
  std::unique_ptr<io::Listener> listener_;
  std::list<Entry> strangers_;  // in the order of their coming; some may have become known since
  std::list<Entry> known_;
  std::optional<Clock::TimePoint> warned_;
  std::move_only_function<void()> drained_;
};

class HostImpl final : public Host {
 public:
  HostImpl(io::LoopGroup& loops, HostOptions options, RequestHandler& handler, Logger log)
      : loops_(loops), shared_{.options = std::move(options), .handler = handler, .log = std::move(log)} {
    for (std::size_t i = 0; i < loops_.size(); ++i)
      shards_.push_back(std::make_unique<Shard>(loops_.at(i), shared_));
  }

  Status listen() {
    std::uint16_t port = shared_.options.port;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      std::promise<Status> result;
      loops_.at(i).post([&] { result.set_value(shards_[i]->listen(port, shards_.size() > 1)); });
      if (Status status = result.get_future().get(); !status.ok()) return status;
      port = shards_[i]->port();
    }
    port_ = port;
    return {};
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override {
    return shared_.load->connections.load(std::memory_order_relaxed);
  }

  void adopt_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream, RequestHandler& handler) override {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      if (&loops_.at(i) == &loop) return shards_[i]->adopt(std::move(stream), handler);
    }
  }

  void drain(std::move_only_function<void()> drained) override {
    auto left = std::make_shared<std::atomic<std::size_t>>(shards_.size());
    auto done = std::make_shared<std::move_only_function<void()>>(std::move(drained));
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      loops_.at(i).post([shard = shards_[i].get(), left, done] {
        shard->drain([left, done] {
          if (left->fetch_sub(1) == 1) (*done)();
        });
      });
    }
  }

 private:
  io::LoopGroup& loops_;
  Shared shared_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<Host>> Host::start(io::LoopGroup& loops, HostOptions options, RequestHandler& handler,
                                          Logger log) {
  auto host = std::make_unique<HostImpl>(loops, std::move(options), handler, std::move(log));
  if (Status status = host->listen(); !status.ok()) return fail(std::move(status));
  return host;
}

}  // namespace towline::http
