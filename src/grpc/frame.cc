#include "grpc/frame.h"

#include <algorithm>
#include <cstring>

#include <zlib.h>

namespace towline::grpc {
namespace {

constexpr std::size_t kPrefix = 5;

std::size_t length_of(const std::byte* prefix) {
  std::size_t length = 0;
  for (int i = 1; i < 5; ++i) length = length << 8 | std::to_integer<std::size_t>(prefix[i]);
  return length;
}

}  // namespace

std::array<std::byte, 5> message_prefix(std::size_t length) {
  std::array<std::byte, 5> prefix{};
  for (std::size_t i = 4; i > 0; --i, length >>= 8) prefix[i] = static_cast<std::byte>(length & 0xff);
  return prefix;
}

Result<std::optional<MessageView>> Deframer::next() {
  // An idle call keeps none of the last message's memory.
  if (message_.capacity() > std::string().capacity()) std::string().swap(message_);
  if (!partial_.empty()) {
    // Complete the prefix, then the message, in partial_.
    const auto take = [&](std::size_t wanted) {
      const std::size_t n = std::min(wanted - partial_.size(), input_.size());
      partial_.append(reinterpret_cast<const char*>(input_.data()), n);
      input_ = input_.subspan(n);
      return partial_.size() == wanted;
    };
    if (partial_.size() < kPrefix && !take(kPrefix)) return std::nullopt;
    const std::size_t length = length_of(reinterpret_cast<const std::byte*>(partial_.data()));
    if (length > max_message_) {
      return fail(Code::kResourceExhausted, "message of " + std::to_string(length) +
                                                " bytes is over the limit of " +
                                                std::to_string(max_message_));
    }
    if (!take(kPrefix + length)) return std::nullopt;
    message_ = std::move(partial_);
    partial_.clear();
    return complete(std::as_bytes(std::span(message_)));
  }
  if (input_.empty()) return std::nullopt;
  if (input_.size() >= kPrefix) {
    const std::size_t length = length_of(input_.data());
    if (length <= max_message_ && input_.size() - kPrefix >= length) {
      const auto framed = input_.first(kPrefix + length);
      input_ = input_.subspan(kPrefix + length);
      return complete(framed);
    }
  }
  partial_.assign(reinterpret_cast<const char*>(input_.data()), std::min(input_.size(), kPrefix));
  input_ = input_.subspan(partial_.size());
  return next();
}

Result<std::optional<MessageView>> Deframer::complete(std::span<const std::byte> framed) {
  const auto flag = std::to_integer<int>(framed[0]);
  const MessageView body = framed.subspan(kPrefix);
  if (flag == 0) return body;
  if (flag != 1) return fail(Code::kInternal, "malformed message prefix");
  Result<std::string> plain = gunzip(body, max_message_);
  if (!plain) return std::unexpected(std::move(plain.error()));
  message_ = std::move(*plain);
  return message_view(message_);
}

Result<std::string> gunzip(std::span<const std::byte> data, std::size_t limit) {
  z_stream stream{};
  // 16: expect a gzip header and trailer.
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return fail(Code::kInternal, "zlib: out of memory");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  std::string out;
  int result = Z_OK;
  while (result == Z_OK) {
    const std::size_t before = out.size();
    out.resize(std::min(limit + 1, std::max<std::size_t>(4096, 2 * out.size())));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    result = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (out.size() > limit) break;
    if (result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0) result = Z_BUF_ERROR;
  }
  inflateEnd(&stream);
  if (out.size() > limit) {
    return fail(Code::kResourceExhausted,
                "decompressed message is over the limit of " + std::to_string(limit));
  }
  if (result != Z_STREAM_END) return fail(Code::kInternal, "message is not valid gzip");
  return out;
}

}  // namespace towline::grpc
