// The public faces of Http2Session: exchanges, server and client connections.
#include "http/client.h"
#include "http/http2_session.h"
#include "http/server.h"

namespace towline::http {
namespace {

template <typename Base>
class Http2Exchange : public Base {
 public:
  Http2Exchange(Http2Session& session, Http2Stream& stream) : handle_(session, stream) {}

  void set_handler(ExchangeHandler* handler) override { handle_.set_handler(handler); }
  void write(std::span<const std::byte> data) override { handle_.write(data); }
  void end(const Headers& trailers) override { handle_.end(trailers); }
  std::size_t unsent() const override { return handle_.unsent(); }
  void consume(std::size_t bytes) override { handle_.consume(bytes); }
  void reset() override { handle_.reset(); }
  void allow_pauses() override { handle_.allow_pauses(); }
  io::Loop& loop() override { return handle_.loop(); }
  std::string_view peer() const override { return handle_.peer(); }

 protected:
  Http2Handle handle_;
};

class Http2ServerExchange final : public Http2Exchange<ServerExchange> {
 public:
  using Http2Exchange::Http2Exchange;
  void respond(const ResponseHead& head, bool end) override { handle_.respond(head, end); }
  std::unique_ptr<io::Stream> take_stream() override { return nullptr; }
  void set_peer(std::string address) override { handle_.set_peer(std::move(address)); }
  void set_stream_limit(std::uint32_t streams) override {
    if (handle_.stream() != nullptr) handle_.stream()->session->set_stream_limit(streams);
    handle_.allow_pauses();
  }
  void peer_is_known() override {
    if (handle_.stream() != nullptr) handle_.stream()->session->peer_is_known();
  }
  void close_connection() override {
    if (handle_.stream() != nullptr) handle_.stream()->session->close_soon();
  }
  std::weak_ptr<const void> liveness() const override {
    const Http2Stream* stream = handle_.stream();
    return stream == nullptr ? std::weak_ptr<const void>{} : stream->session->liveness();
  }
};

using Http2ClientExchange = Http2Exchange<ClientExchange>;

class Http2ServerConnection final : public ServerConnection {
 public:
  explicit Http2ServerConnection(std::shared_ptr<Http2Session> session) : session_(std::move(session)) {}
  ~Http2ServerConnection() override { session_->abandon(); }
  Http2ServerConnection(const Http2ServerConnection&) = delete;
  Http2ServerConnection& operator=(const Http2ServerConnection&) = delete;
  void drain() override { session_->drain(); }
  std::size_t active() const override { return session_->active(); }
  bool is_known() const override { return session_->is_known(); }

 private:
  std::shared_ptr<Http2Session> session_;
};

class Http2ClientConnection final : public ClientConnection {
 public:
  explicit Http2ClientConnection(std::shared_ptr<Http2Session> session) : session_(std::move(session)) {}
  ~Http2ClientConnection() override { session_->abandon(); }
  Http2ClientConnection(const Http2ClientConnection&) = delete;
  Http2ClientConnection& operator=(const Http2ClientConnection&) = delete;
  std::unique_ptr<ClientExchange> open(const RequestHead& head, bool end, ExchangeHandler* handler) override {
    return session_->open(head, end, handler);
  }
  std::size_t available() const override { return session_->available(); }
  std::size_t active() const override { return session_->active(); }

 private:
  std::shared_ptr<Http2Session> session_;
};

}  // namespace

std::unique_ptr<ServerExchange> make_server_exchange(Http2Session& session, Http2Stream& stream) {
  return std::make_unique<Http2ServerExchange>(session, stream);
}
std::unique_ptr<ClientExchange> make_client_exchange(Http2Session& session, Http2Stream& stream) {
  return std::make_unique<Http2ClientExchange>(session, stream);
}

std::unique_ptr<ServerConnection> serve_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                              RequestHandler& handler, ServerConnectionOptions options,
                                              std::move_only_function<void()> on_closed) {
  return std::make_unique<Http2ServerConnection>(
      Http2Session::start(loop, std::move(stream), &handler,
                          {.limits = options.limits,
                           .loads = std::move(options.loads),
                           .min_ping_interval = options.min_ping_interval,
                           .keepalive = options.keepalive,
                           .keepalive_timeout = options.keepalive_timeout,
                           .max_age = options.max_age},
                          [on_closed = std::move(on_closed)](Status) mutable {
                            if (on_closed) on_closed();
                          }));
}

std::unique_ptr<ClientConnection> connect_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                                ClientConnectionOptions options, ConnectionClosed on_closed) {
  return std::make_unique<Http2ClientConnection>(
      Http2Session::start(loop, std::move(stream), nullptr,
                          {.limits = options.limits,
                           .keepalive = options.keepalive,
                           .keepalive_timeout = options.keepalive_timeout,
                           .keepalive_without_streams = true},
                          std::move(on_closed)));
}

}  // namespace towline::http
