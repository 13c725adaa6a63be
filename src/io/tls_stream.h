#pragma once

#include <memory>
#include <optional>
#include <string>

#include "io/openssl.h"
#include "io/stream.h"

namespace towline::io {

/// TLS over another stream. One call of handshake() after another, each after on_readable or on_writable,
/// until it says kDone; then it is an ordinary stream.
class TlsStream final : public Stream, private StreamHandler {
 public:
  /// `name` is what errors call the peer. `ssl` is set up as client or server, without BIOs.
  TlsStream(std::unique_ptr<Stream> lower, SslPtr ssl, std::string name);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// kDone, kWouldBlock (the handler will be told, by on_readable) or kError.
  Outcome handshake();
  /// After a failed handshake: sends what is left to say and takes what has come, so that closing does not
  /// reset the connection before the peer has read why.
  void part();

  void set_handler(StreamHandler* handler) override { handler_ = handler; }
  Transfer read(std::span<std::byte> buffer) override;
  Transfer write(std::span<const iovec> pieces) override;
  void shutdown_write() override;
  const Status& error() const override { return error_; }
  std::optional<PeerState> peer_state() const override { return lower_->peer_state(); }
  std::string_view alpn() const override;
  bool secure() const override { return true; }
  std::string_view peer() const override { return lower_->peer(); }
  std::string_view peer_certificate_subject() const override { return subject_; }

 private:
  class Bio;

  // What a direction waits for, and whether its owner was told to wait.
  struct Waiting {
    bool to_read = false;
    bool to_write = false;
    bool told = false;
    bool blocked() const { return to_read || to_write; }
  };

  void on_readable() override { wake(&Waiting::to_read); }
  void on_writable() override { wake(&Waiting::to_write); }
  void wake(bool Waiting::*cause);
  Outcome outcome_of(int result, Waiting& waiting, const std::string& explanation = {});
  Outcome fail_with_reason(int ssl_error, const std::string& explanation = {});
  void close_notify();

  std::unique_ptr<Stream> lower_;
  SslPtr ssl_;
  StreamHandler* handler_ = nullptr;
  std::size_t pending_ = 0;  // size of the record that OpenSSL has begun to write
  Waiting reading_;
  Waiting writing_;
  bool lower_ended_ = false;
  bool lower_failed_ = false;
  bool ended_ = false;    // the peer has closed its direction
  bool shut_ = false;     // shutdown_write was called
  bool closing_ = false;  // close_notify is still to be sent
  bool established_ = false;
  bool* destroyed_ = nullptr;  // set while the handler runs
  std::string name_;
  std::string subject_;
  Status error_;
};

}  // namespace towline::io
