#include "io/websocket.h"

#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

#include <openssl/evp.h>

#include "base/encoding.h"
#include "io/pieces.h"
#include "io/websocket_frame.h"

namespace towline::io {
namespace {

/// Limit: payload of one WebSocket frame that is sent; the rest goes into further ones. Small enough for the
/// limits of other implementations, large enough for the cost of a frame to vanish.
constexpr std::size_t kMaxFrame = 64 * 1024;
/// Limit: WebSocket frames without a byte of data in a row; the connection is closed. A peer that sends
/// nothing else must not hold the loop for ever.
constexpr int kMaxIdleFrames = 4096;
constexpr std::size_t kMaxPieces = 64;

// Clients mask here what they send. One per thread, so that an idle stream has none.
thread_local std::array<std::byte, kMaxFrameHeader + kMaxFrame> copy_buffer;

constexpr std::uint16_t kNormalClosure = 1000;
constexpr std::uint16_t kGoingAway = 1001;
constexpr std::uint16_t kProtocolError = 1002;
constexpr std::uint16_t kUnsupportedData = 1003;
constexpr std::uint16_t kNoCode = 1005;
constexpr std::uint16_t kTooBig = 1009;

class WebSocket final : public Stream, private StreamHandler {
 public:
  WebSocket(std::unique_ptr<Stream> lower, WebSocketRole role, std::size_t max_message, std::string peer)
      : lower_(std::move(lower)), role_(role), max_message_(max_message), peer_(std::move(peer)) {
    lower_->set_handler(this);
  }

  void set_handler(StreamHandler* handler) override { handler_ = handler; }
  Transfer read(std::span<std::byte> buffer) override;
  Transfer write(std::span<const iovec> pieces) override;
  void shutdown_write() override;
  const Status& error() const override { return error_; }
  std::optional<PeerState> peer_state() const override { return lower_->peer_state(); }
  std::string_view alpn() const override { return lower_->alpn(); }
  bool secure() const override { return lower_->secure(); }
  std::string_view peer() const override { return peer_.empty() ? lower_->peer() : peer_; }
  std::string_view peer_certificate_subject() const override { return lower_->peer_certificate_subject(); }

 private:
  // A frame that has been offered to the lower stream. It is continued with the same bytes until it is all
  // taken; nothing else can be sent in between.
  struct OutFrame {
    std::array<std::byte, kMaxFrameHeader> header;
    std::size_t header_size = 0;
    std::size_t header_sent = 0;
    std::uint64_t left = 0;  // payload not taken yet
    std::uint64_t sent = 0;
    MaskKey mask{};

    bool under_way() const { return header_sent < header_size || left > 0; }
  };

  void on_readable() override;
  void on_writable() override;

  // Reading. `raw` is what the lower stream gave, at the place where its payload goes.
  std::size_t unwrap(std::span<std::byte> raw);
  std::size_t take_payload(std::span<const std::byte> raw, std::byte* out, std::size_t& delivered);
  Status begin_frame(const FrameHeaderParser::Parsed& parsed);
  void end_frame();
  void on_close(std::string_view payload);
  Status lower_ended() const;

  // Writing.
  Outcome send_data(Pieces& left, std::size_t& taken);
  Outcome offer(const Pieces& left, std::size_t& put_bytes);
  Outcome offer_copied(const Pieces& left, std::size_t& put_bytes);
  void start_frame(const Pieces& left);
  Outcome send_control();
  void queue_close(std::uint16_t code);
  bool closing() const { return close_sent_ || close_.has_value(); }

  bool client() const { return role_ == WebSocketRole::kClient; }
  Status broken(Code code, const std::string& what, std::uint16_t close);

  std::unique_ptr<Stream> lower_;
  WebSocketRole role_;
  bool in_message_ = false;  // a fragmented message is under way
  bool in_frame_ = false;    // a header has been read, and its payload not to the end
  bool close_received_ = false;
  bool close_sent_ = false;  // or at least begun
  bool lower_shut_ = false;
  bool ended_ = false;
  bool tell_reader_ = false;
  bool tell_writer_ = false;
  int idle_frames_ = 0;
  std::size_t max_message_;
  const std::string peer_;
  StreamHandler* handler_ = nullptr;

  FrameHeaderParser parser_;
  FrameHeader in_;
  std::uint64_t in_left_ = 0;
  std::uint64_t message_size_ = 0;
  std::string control_in_;  // payload of the control frame that is being read

  OutFrame out_;
  std::string control_out_;  // what is left of a control frame that was begun
  std::optional<std::string> pong_;
  std::optional<std::uint16_t> close_;
  Status error_;
};

Transfer WebSocket::read(std::span<std::byte> buffer) {
  if (buffer.empty()) return {Outcome::kDone};
  idle_frames_ = 0;
  while (error_.ok() && !ended_) {
    const Transfer got = lower_->read(buffer);
    if (got.outcome == Outcome::kWouldBlock) {
      tell_reader_ = true;
      return got;
    }
    if (got.outcome == Outcome::kError) error_ = lower_->error();
    if (got.outcome == Outcome::kEof) {
      error_ = lower_ended();
      ended_ = error_.ok();
    }
    const std::size_t delivered = unwrap(buffer.first(got.bytes));
    if (!out_.under_way()) (void)send_control();  // what fails here fails again where it is reported
    if (delivered > 0) return {Outcome::kDone, delivered};
  }
  return {ended_ ? Outcome::kEof : Outcome::kError};
}

// Takes frames apart in place: payload moves to the front over the headers. Returns the bytes of payload.
std::size_t WebSocket::unwrap(std::span<std::byte> raw) {
  std::size_t delivered = 0;
  for (std::size_t at = 0; at < raw.size() && error_.ok() && !ended_;) {
    if (!in_frame_) {
      at += parser_.take(raw.subspan(at));
      if (!parser_.complete()) break;
      error_ = begin_frame(parser_.finish());
    } else {
      at += take_payload(raw.subspan(at), raw.data(), delivered);
    }
    if (in_frame_ && in_left_ == 0 && error_.ok()) end_frame();
  }
  return delivered;
}

std::size_t WebSocket::take_payload(std::span<const std::byte> raw, std::byte* out, std::size_t& delivered) {
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(raw.size(), in_left_));
  const std::uint64_t offset = in_.length - in_left_;
  if (in_.control()) {
    control_in_.resize(static_cast<std::size_t>(offset) + n);
    apply_mask(in_.mask, offset, raw.data(), reinterpret_cast<std::byte*>(control_in_.data()) + offset, n);
  } else {
    if (in_.masked) {
      apply_mask(in_.mask, offset, raw.data(), out + delivered, n);
    } else if (raw.data() != out + delivered) {
      std::memmove(out + delivered, raw.data(), n);
    }
    delivered += n;
    idle_frames_ = 0;
  }
  in_left_ -= n;
  return n;
}

Status WebSocket::begin_frame(const FrameHeaderParser::Parsed& parsed) {
  in_ = parsed.header;
  if (parsed.error != nullptr) return broken(Code::kInvalidArgument, parsed.error, kProtocolError);
  if (in_.masked == client()) {
    return broken(Code::kInvalidArgument,
                  client() ? "the server masks its frames" : "the client does not mask", kProtocolError);
  }
  if (++idle_frames_ > kMaxIdleFrames) {
    return broken(Code::kResourceExhausted, "a flood of frames without data", kProtocolError);
  }
  in_frame_ = true;
  in_left_ = in_.length;
  if (in_.control()) return Status();
  if (in_.opcode == Opcode::kText) {
    return broken(Code::kInvalidArgument, "a text message, where only binary ones belong", kUnsupportedData);
  }
  if ((in_.opcode == Opcode::kContinuation) != in_message_) {
    return broken(Code::kInvalidArgument,
                  in_message_ ? "a message begins inside another" : "a continuation of nothing",
                  kProtocolError);
  }
  if (in_.length > max_message_ || message_size_ + in_.length > max_message_) {
    return broken(Code::kResourceExhausted,
                  "a message of more than " + std::to_string(max_message_) + " bytes", kTooBig);
  }
  message_size_ += in_.length;
  return Status();
}

void WebSocket::end_frame() {
  in_frame_ = false;
  if (!in_.control()) {
    in_message_ = !in_.fin;
    if (in_.fin) message_size_ = 0;
    return;
  }
  // Of several pings only the newest is answered (section 5.5.3), so that a peer that does not read cannot
  // make us keep pongs.
  const std::string payload = std::exchange(control_in_, std::string());
  if (in_.opcode == Opcode::kPing) pong_ = payload;
  if (in_.opcode == Opcode::kClose) on_close(payload);
}

void WebSocket::on_close(std::string_view payload) {
  const std::optional<std::uint16_t> code = close_code(payload);
  if (!code) {
    error_ = broken(Code::kInvalidArgument, "a malformed close frame", kProtocolError);
    return;
  }
  close_received_ = true;
  queue_close(*code == kNoCode ? kNormalClosure : *code);
  ended_ = *code == kNormalClosure || *code == kGoingAway || *code == kNoCode;
  if (ended_) return;
  const std::string_view reason = payload.substr(2);
  error_ = Status(Code::kUnavailable, "WebSocket with " + std::string(peer()) + ": closed by the peer with " +
                                          std::to_string(*code) + (reason.empty() ? "" : ": ") +
                                          std::string(reason));
}

Status WebSocket::lower_ended() const {
  if (!in_frame_ && !parser_.begun()) return Status();
  return Status(Code::kUnavailable,
                "WebSocket with " + std::string(peer()) + ": the connection ended inside a frame");
}

Status WebSocket::broken(Code code, const std::string& what, std::uint16_t close) {
  queue_close(close);
  return Status(code, "WebSocket with " + std::string(peer()) + ": " + what);
}

Transfer WebSocket::write(std::span<const iovec> pieces) {
  Pieces left(pieces);
  if (left.done()) return {Outcome::kDone};
  std::size_t taken = 0;
  Outcome outcome = Outcome::kDone;
  while (outcome == Outcome::kDone && !left.done()) {
    if (!out_.under_way()) outcome = send_control();
    if (outcome == Outcome::kDone) outcome = send_data(left, taken);
  }
  if (outcome == Outcome::kDone && !out_.under_way()) (void)send_control();
  if (outcome == Outcome::kError) return {outcome};
  tell_writer_ = outcome == Outcome::kWouldBlock;
  return {taken > 0 ? Outcome::kDone : outcome, taken};
}

// Goes on with the frame under way, or begins one. kDone when the lower stream took all it was offered.
Outcome WebSocket::send_data(Pieces& left, std::size_t& taken) {
  if (!out_.under_way()) {
    if (closing()) {
      if (error_.ok())
        error_ = Status(Code::kUnavailable, "WebSocket with " + std::string(peer()) + ": closed");
      return Outcome::kError;
    }
    start_frame(left);
  }
  std::size_t put = 0;
  const Outcome outcome = client() ? offer_copied(left, put) : offer(left, put);
  if (outcome == Outcome::kError) {
    error_ = lower_->error();
    return outcome;
  }
  const std::size_t header = std::min(put, out_.header_size - out_.header_sent);
  out_.header_sent += header;
  out_.left -= put - header;
  out_.sent += put - header;
  taken += put - header;
  left.advance(put - header);
  return outcome;
}

void WebSocket::start_frame(const Pieces& left) {
  std::size_t pieces = 0;
  const std::size_t size =
      left.for_each(kMaxFrame, [&](std::span<const std::byte>) { return ++pieces < kMaxPieces; });
  const FrameHeader header{.masked = client(), .length = size, .mask = client() ? random_mask() : MaskKey{}};
  out_.header_size = encode_frame_header(header, out_.header.data());
  out_.header_sent = 0;
  out_.left = size;
  out_.sent = 0;
  out_.mask = header.mask;
}

// Offers what is left of the header and the frame as it lies.
Outcome WebSocket::offer(const Pieces& left, std::size_t& put_bytes) {
  std::array<iovec, kMaxPieces + 1> list;
  std::size_t count = 0;
  const std::size_t header = out_.header_size - out_.header_sent;
  if (header > 0) list[count++] = {out_.header.data() + out_.header_sent, header};
  bool all = true;
  const std::size_t offered =
      header + left.for_each(static_cast<std::size_t>(out_.left), [&](std::span<const std::byte> part) {
        all = count < list.size();
        if (all) list[count++] = {const_cast<std::byte*>(part.data()), part.size()};
        return all;
      });
  // Less than was offered before, because it comes in smaller pieces now: the lower stream must get it all.
  if (!all) return offer_copied(left, put_bytes);
  const Transfer put = lower_->write(std::span(list).first(count));
  put_bytes = put.bytes;
  if (put.outcome != Outcome::kDone) return put.outcome;
  return put.bytes == offered ? Outcome::kDone : Outcome::kWouldBlock;
}

// The same in one piece, and masked when we are a client.
Outcome WebSocket::offer_copied(const Pieces& left, std::size_t& put_bytes) {
  const std::size_t header = out_.header_size - out_.header_sent;
  std::memcpy(copy_buffer.data(), out_.header.data() + out_.header_sent, header);
  std::size_t size = header;
  left.for_each(static_cast<std::size_t>(out_.left), [&](std::span<const std::byte> part) {
    apply_mask(out_.mask, out_.sent + (size - header), part.data(), copy_buffer.data() + size, part.size());
    size += part.size();
    return true;
  });
  const Transfer put = io::write(*lower_, std::span(copy_buffer).first(size));
  put_bytes = put.bytes;
  if (put.outcome != Outcome::kDone) return put.outcome;
  return put.bytes == size ? Outcome::kDone : Outcome::kWouldBlock;
}

// Sends the control frames that are due; not while a data frame is under way. kDone when none is left.
Outcome WebSocket::send_control() {
  while (true) {
    if (control_out_.empty()) {
      if (pong_ && !closing()) {
        control_out_ = encode_control_frame(Opcode::kPong, *pong_, client());
      } else if (close_) {
        control_out_ = encode_control_frame(Opcode::kClose, encode_close_payload(*close_), client());
        close_.reset();
        close_sent_ = true;
      } else {
        break;
      }
      pong_.reset();
    }
    const Transfer put = io::write(*lower_, std::as_bytes(std::span(control_out_)));
    if (put.outcome != Outcome::kDone) return put.outcome;
    const bool all = put.bytes == control_out_.size();
    control_out_.erase(0, put.bytes);
    if (!all) return Outcome::kWouldBlock;
    control_out_ = std::string();
  }
  // Both directions are over (section 7.1.1).
  if (close_sent_ && close_received_ && !std::exchange(lower_shut_, true)) lower_->shutdown_write();
  return Outcome::kDone;
}

void WebSocket::queue_close(std::uint16_t code) {
  if (!closing()) close_ = code;
}

void WebSocket::shutdown_write() {
  queue_close(kNormalClosure);
  if (!out_.under_way()) (void)send_control();
}

void WebSocket::on_readable() {
  if (std::exchange(tell_reader_, false) && handler_ != nullptr) handler_->on_readable();
}

void WebSocket::on_writable() {
  if (!out_.under_way() && send_control() == Outcome::kWouldBlock) return;
  if (std::exchange(tell_writer_, false) && handler_ != nullptr) handler_->on_writable();
}

}  // namespace

std::unique_ptr<Stream> websocket_stream(Loop&, std::unique_ptr<Stream> lower, WebSocketRole role,
                                         std::size_t max_message, std::string peer) {
  return std::make_unique<WebSocket>(std::move(lower), role, max_message, std::move(peer));
}

std::string websocket_key() { return base64_encode(random_bytes(16)); }

std::string websocket_accept(std::string_view key) {
  static constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const std::string text = std::string(key) + std::string(kGuid);
  std::string digest(20, '\0');
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                 EVP_sha1(), nullptr) != 1) {
    std::abort();
  }
  return base64_encode(digest);
}

}  // namespace towline::io
