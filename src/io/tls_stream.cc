#include "io/tls_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/err.h>

#include "io/pieces.h"
#include "io/tls_errors.h"

namespace towline::io {
namespace {

// The most one TLS record carries (RFC 8446, section 5.1).
constexpr std::size_t kMaxRecord = 16 * 1024;

// Small pieces are put together here, so that a head and its body share a record and a system call.
thread_local std::array<std::byte, kMaxRecord> gather_buffer;

}  // namespace

// OpenSSL's view of the lower stream.
class TlsStream::Bio {
 public:
  static BIO* make(TlsStream* stream) {
    static const BIO_METHOD* const kMethod = method();
    BIO* bio = BIO_new(kMethod);
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    return bio;
  }

 private:
  static BIO_METHOD* method() {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "towline stream");
    BIO_meth_set_read(made, read);
    BIO_meth_set_write(made, write);
    BIO_meth_set_ctrl(made, control);
    return made;
  }

  static int read(BIO* bio, char* out, int size) {
    auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const auto buffer = std::as_writable_bytes(std::span(out, static_cast<std::size_t>(size)));
    const Transfer got = stream.lower_->read(buffer);
    stream.lower_ended_ = got.outcome == Outcome::kEof;
    stream.lower_failed_ = got.outcome == Outcome::kError;
    if (got.outcome == Outcome::kDone) return static_cast<int>(got.bytes);
    if (got.outcome == Outcome::kWouldBlock) BIO_set_retry_read(bio);
    return stream.lower_ended_ ? 0 : -1;
  }

  static int write(BIO* bio, const char* data, int size) {
    auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const Transfer put =
        io::write(*stream.lower_, std::as_bytes(std::span(data, static_cast<std::size_t>(size))));
    if (put.outcome == Outcome::kDone) return static_cast<int>(put.bytes);
    if (put.outcome == Outcome::kWouldBlock) {
      BIO_set_retry_write(bio);
    } else {
      stream.lower_failed_ = true;
    }
    return -1;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return static_cast<TlsStream*>(BIO_get_data(bio))->lower_ended_ ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
};

TlsStream::TlsStream(std::unique_ptr<Stream> lower, SslPtr ssl, std::string name)
    : lower_(std::move(lower)), ssl_(std::move(ssl)), name_(std::move(name)) {
  BIO* bio = Bio::make(this);
  SSL_set_bio(ssl_.get(), bio, bio);
  lower_->set_handler(this);
}

TlsStream::~TlsStream() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

Outcome TlsStream::handshake() {
  std::string explanation;
  SSL_set_app_data(ssl_.get(), &explanation);
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  SSL_set_app_data(ssl_.get(), nullptr);
  if (result != 1) {
    const Outcome outcome = outcome_of(result, reading_, explanation);
    reading_.told = true;
    return outcome == Outcome::kEof ? fail_with_reason(SSL_ERROR_ZERO_RETURN) : outcome;
  }
  established_ = true;
  if (SSL_is_server(ssl_.get()) != 0) {
    if (const X509* certificate = SSL_get0_peer_certificate(ssl_.get())) {
      subject_ = name_of(X509_get_subject_name(certificate));
    }
  }
  return Outcome::kDone;
}

void TlsStream::part() {
  lower_->shutdown_write();
  std::array<std::byte, 4096> dropped;
  for (int i = 0; i < 16; ++i) {
    if (lower_->read(dropped).outcome != Outcome::kDone) break;
  }
}

Transfer TlsStream::read(std::span<std::byte> buffer) {
  std::size_t total = 0;
  Outcome outcome = Outcome::kDone;
  if (!error_.ok()) return {Outcome::kError};
  if (ended_) return {Outcome::kEof};
  if (reading_.blocked()) outcome = Outcome::kWouldBlock;
  while (outcome == Outcome::kDone && total < buffer.size()) {
    std::size_t n = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), buffer.data() + total, buffer.size() - total, &n);
    if (result != 1) outcome = outcome_of(result, reading_);
    total += n;
  }
  ended_ = outcome == Outcome::kEof;
  if (total > 0) return {Outcome::kDone, total};
  reading_.told = outcome == Outcome::kWouldBlock;
  return {outcome};
}

Transfer TlsStream::write(std::span<const iovec> pieces) {
  Pieces left(pieces);
  std::size_t total = 0;
  Outcome outcome = Outcome::kDone;
  if (!error_.ok()) return {Outcome::kError};
  if (left.done()) return {Outcome::kDone};
  if (writing_.blocked()) outcome = Outcome::kWouldBlock;
  while (outcome == Outcome::kDone && !left.done()) {
    // A record that was begun is to be finished with the same bytes.
    const auto bytes = left.gather(pending_ > 0 ? pending_ : kMaxRecord, gather_buffer);
    std::size_t n = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n);
    if (result != 1) outcome = outcome_of(result, writing_);
    pending_ = result == 1 ? 0 : bytes.size();
    total += n;
    left.advance(n);
  }
  if (outcome == Outcome::kError) return {outcome};
  writing_.told = outcome == Outcome::kWouldBlock;
  return {total > 0 ? Outcome::kDone : outcome, total};
}

void TlsStream::shutdown_write() {
  if (std::exchange(shut_, true)) return;
  closing_ = true;
  close_notify();
}

void TlsStream::close_notify() {
  if (established_ && error_.ok() && pending_ == 0) {
    ERR_clear_error();
    const int result = SSL_shutdown(ssl_.get());
    if (result < 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE) return;  // on_writable comes
  }
  closing_ = false;
  lower_->shutdown_write();
}

std::string_view TlsStream::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

void TlsStream::wake(bool Waiting::*cause) {
  if (closing_ && cause == &Waiting::to_write) close_notify();
  const auto end_of_wait = [cause](Waiting& waiting) {
    return waiting.*cause && std::exchange(waiting, Waiting{}).told;
  };
  const bool tell_reader = end_of_wait(reading_);
  const bool tell_writer = end_of_wait(writing_);
  bool destroyed = false;
  destroyed_ = &destroyed;
  if (tell_writer && handler_ != nullptr) handler_->on_writable();
  if (!destroyed && tell_reader && handler_ != nullptr) handler_->on_readable();
  if (!destroyed) destroyed_ = nullptr;
}

Outcome TlsStream::outcome_of(int result, Waiting& waiting, const std::string& explanation) {
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) waiting.to_read = true;
  if (error == SSL_ERROR_WANT_WRITE) waiting.to_write = true;
  if (waiting.blocked()) return Outcome::kWouldBlock;
  if (error == SSL_ERROR_ZERO_RETURN) return Outcome::kEof;
  return fail_with_reason(error, explanation);
}

Outcome TlsStream::fail_with_reason(int ssl_error, const std::string& explanation) {
  if (lower_failed_) {
    error_ = lower_->error();
  } else {
    error_ = tls_failure(ssl_.get(), ssl_error, established_, explanation)
                 .with_prefix((established_ ? "TLS with " : "TLS handshake with ") + name_);
  }
  ERR_clear_error();
  return Outcome::kError;
}

}  // namespace towline::io
