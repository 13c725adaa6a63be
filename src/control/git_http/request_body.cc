#include "control/git_http/request_body.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <zlib.h>

namespace towline::control::git_http {
namespace {

// What is unpacked ahead of the child. A request that is longer has begun in earnest.
constexpr std::size_t kPiece = 64 * 1024;

std::unexpected<Status> garbled() {
  return fail(Code::kInvalidArgument, "the request's body is not what its headers say");
}

}  // namespace

struct RequestBody::Inflater {
  Inflater() { good = ::inflateInit2(&stream, 15 + 16) == Z_OK; }  // gzip's frame
  ~Inflater() { ::inflateEnd(&stream); }
  z_stream stream{};
  bool good = false;
  bool over = false;
  bool full = false;  // it may have more to give without being given more
};

RequestBody::RequestBody(Kind kind) : kind_(kind) {
  if (kind.compressed) inflater_ = std::make_unique<Inflater>();
}
RequestBody::~RequestBody() = default;

bool RequestBody::used_up() const { return raw_.empty() && (!inflater_ || !inflater_->full); }

Result<std::size_t> RequestBody::unpack() {
  const std::size_t before = raw_.size();
  if (!inflater_) {
    if (ready_.size() < kPiece) {
      if (Status status = count(raw_); !status.ok()) return fail(status);
      ready_ += raw_;
      raw_.clear();
    }
    return before - raw_.size();
  }
  std::array<char, 16 * 1024> piece;
  while (!used_up() && ready_.size() < kPiece) {
    z_stream& stream = inflater_->stream;
    if (!inflater_->good || (inflater_->over && !raw_.empty())) return garbled();
    stream.next_in = reinterpret_cast<Bytef*>(raw_.data());
    stream.avail_in = static_cast<uInt>(raw_.size());
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return garbled();
    inflater_->over = result == Z_STREAM_END;
    inflater_->full = !inflater_->over && stream.avail_out == 0;
    const std::string_view bytes(piece.data(), piece.size() - stream.avail_out);
    raw_.erase(0, raw_.size() - stream.avail_in);
    if (Status status = count(bytes); !status.ok()) return fail(status);
    ready_ += bytes;
  }
  return before - raw_.size();
}

Status RequestBody::count(std::string_view bytes) {
  total_ += bytes.size();
  if (total_ > kind_.limit)
    return {Code::kResourceExhausted,
            "The request is larger than " + std::to_string(kind_.limit) + " bytes."};
  begun_ = begun_ || total_ >= kPiece;
  return kind_.pushes && !listed_ ? walk_commands(bytes) : Status();
}

Status RequestBody::walk_commands(std::string_view bytes) {
  while (!bytes.empty() && !listed_) {
    if (line_left_ > 0) {
      const std::size_t some = std::min(line_left_, bytes.size());
      line_left_ -= some;
      bytes.remove_prefix(some);
      continue;
    }
    digits_ += bytes.front();
    bytes.remove_prefix(1);
    if (digits_.size() < 4) continue;
    std::size_t size = 0;
    const auto [stop, error] = std::from_chars(digits_.data(), digits_.data() + 4, size, 16);
    // What git makes of nonsense is git's to say.
    listed_ = error != std::errc() || stop != digits_.data() + 4 || size < 4;
    if (!listed_) line_left_ = size - 4;
    digits_.clear();
  }
  begun_ = begun_ || listed_;
  if (!listed_ && total_ > kMaxCommandList)
    return {Code::kResourceExhausted, "The push changes too many references: push them in parts."};
  return {};
}

}  // namespace towline::control::git_http
