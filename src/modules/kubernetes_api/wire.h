#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <google/protobuf/arena.h>

#include "http/headers.h"
#include "http/message.h"
#include "proto/grpctool.pb.h"
#include "proto/kubernetes_api.pb.h"
#include "proto/prototool.pb.h"

namespace towline::kubernetes_api {

/// Branches of grpctool.HttpRequest and HttpResponse; the same numbers in both. Those with bytes are {n: {1:
/// data}}.
enum Branch : std::uint32_t { kHeader = 1, kData = 2, kTrailer = 3, kUpgradeData = 4 };
inline constexpr std::uint32_t kBytes = 1;

/// The largest piece of a body in one message. With its prefixes it fits one HTTP/2 frame, so that receivers
/// need not put it together.
inline constexpr std::size_t kMaxPiece = 16 * 1024 - 64;

/// Limit: bytes that the far side of a relay has not sent; over it its near side is read no further.
inline constexpr std::size_t kRelayBuffer = 48 * 1024;

/// The serialized trailer branch.
inline constexpr std::string_view kTrailerMessage = {"\x1a\x00", 2};

using HeaderMap = google::protobuf::Map<std::string, ::gitlab::agent::prototool::Values>;

/// Names go into the map as Go's net/http writes them, "Content-Type": original agents look them up so.
void to_map(const http::Headers& headers, HeaderMap& map);
http::Headers from_map(const HeaderMap& map);

/// A query string as a map of decoded values, and back. The order of different keys is lost, as in the
/// original.
void query_to_map(std::string_view query, HeaderMap& map);
std::string query_from_map(const HeaderMap& map);

/// A decoded path, encoded again as Go's net/url does.
std::string encode_path(std::string_view path);

/// Room on the stack for one header message, whose maps and fields would otherwise be dozens of allocations.
class HeaderArena {
 public:
  HeaderArena() : arena_(options(block_)) {}
  template <typename Message>
  Message& make() {
    return *google::protobuf::Arena::CreateMessage<Message>(&arena_);
  }

 private:
  static google::protobuf::ArenaOptions options(std::span<char> block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block.data();
    options.initial_block_size = block.size();
    return options;
  }
  alignas(std::max_align_t) std::array<char, 8192> block_;
  google::protobuf::Arena arena_;
};

/// Counts what was received and not given back, and gives it back while the far side keeps up.
class RelayCredit {
 public:
  void received(std::size_t bytes) { owed_ += bytes; }
  /// What may be given back now, `unsent` being what the far side still holds.
  std::size_t take(std::size_t unsent) {
    if (unsent >= kRelayBuffer) return 0;
    return take_all();
  }
  std::size_t owed() const { return owed_; }
  /// The far side is over.
  std::size_t take_all() {
    const std::size_t bytes = owed_;
    owed_ = 0;
    return bytes;
  }

 private:
  std::size_t owed_ = 0;
};

}  // namespace towline::kubernetes_api
