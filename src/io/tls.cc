#include "io/tls.h"

#include <utility>

#include "base/once.h"
#include "io/loop.h"
#include "io/tls_context.h"
#include "io/tls_stream.h"

namespace towline::io {
namespace {

using std::chrono::milliseconds;

class Handshake final : public Operation, private StreamHandler {
 public:
  Handshake(Loop& loop, std::string name, milliseconds timeout, StreamCallback callback)
      : name_(std::move(name)),
        timeout_(timeout),
        done_(std::move(callback)),
        deadline_(loop, [this] { timed_out(); }),
        at_once_(loop, [this] { finish(); }) {
    deadline_.start(timeout);
  }

  // Begins; `settings` are kept until the end.
  void begin(std::unique_ptr<Stream> lower, SslPtr ssl, std::shared_ptr<const ServerSettings> settings) {
    settings_ = std::move(settings);
    stream_ = std::make_unique<TlsStream>(std::move(lower), std::move(ssl), name_);
    stream_->set_handler(this);
    if (step()) at_once_.start(milliseconds(0));
  }
  void fail_soon(Status status) {
    failure_ = std::move(status);
    at_once_.start(milliseconds(0));
  }

 private:
  void on_readable() override { go_on(); }
  void on_writable() override { go_on(); }
  void go_on() {
    if (!at_once_.armed() && step()) finish();
  }

  // True when the handshake is over, one way or the other.
  bool step() {
    const Outcome outcome = stream_->handshake();
    if (outcome == Outcome::kError) {
      failure_ = stream_->error();
      stream_->part();
    }
    return outcome != Outcome::kWouldBlock;
  }

  void timed_out() {
    failure_ = Status(Code::kDeadlineExceeded, "TLS handshake with " + name_ + ": no answer within " +
                                                   std::to_string(timeout_.count()) + " ms");
    finish();
  }

  // The callback may destroy this.
  void finish() {
    deadline_.cancel();
    at_once_.cancel();
    std::unique_ptr<Stream> stream = std::move(stream_);
    if (stream != nullptr) stream->set_handler(nullptr);
    if (!failure_.ok()) return done_(fail(std::move(failure_)));
    done_(std::move(stream));
  }

  std::string name_;
  milliseconds timeout_;
  Once<Result<std::unique_ptr<Stream>>> done_;
  Timer deadline_;
  Timer at_once_;  // for what is over before begin() returns
  std::shared_ptr<const ServerSettings> settings_;
  std::unique_ptr<TlsStream> stream_;
  Status failure_;
};

// "kas.example.com (192.0.2.1:443)"
std::string name_for_errors(const std::string& server_name, std::string_view peer) {
  return server_name + " (" + std::string(peer) + ")";
}

}  // namespace

std::unique_ptr<Operation> tls_connect(Loop& loop, std::unique_ptr<Stream> lower,
                                       std::shared_ptr<TlsClientContext> context, std::string server_name,
                                       std::vector<std::string> alpn, std::chrono::milliseconds timeout,
                                       StreamCallback callback) {
  auto handshake = std::make_unique<Handshake>(loop, name_for_errors(server_name, lower->peer()), timeout,
                                               std::move(callback));
  auto ssl = static_cast<const ClientContext&>(*context).connection(server_name, alpn);
  if (!ssl) {
    handshake->fail_soon(std::move(ssl.error()));
    return handshake;
  }
  SSL_set_connect_state(ssl->get());
  handshake->begin(std::move(lower), std::move(*ssl), nullptr);
  return handshake;
}

std::unique_ptr<Operation> tls_accept(Loop& loop, std::unique_ptr<Stream> lower,
                                      std::shared_ptr<TlsServerContext> context,
                                      std::chrono::milliseconds timeout, StreamCallback callback) {
  auto handshake =
      std::make_unique<Handshake>(loop, std::string(lower->peer()), timeout, std::move(callback));
  auto settings = static_cast<const ServerContext&>(*context).settings();
  SslPtr ssl(SSL_new(settings->context.get()));
  SSL_set_accept_state(ssl.get());
  handshake->begin(std::move(lower), std::move(ssl), std::move(settings));
  return handshake;
}

}  // namespace towline::io
