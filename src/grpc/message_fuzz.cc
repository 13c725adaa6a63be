// gRPC messages taken out of arbitrary bytes: cut in pieces or whole, the same messages must come out, none
// larger than the limit.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "grpc/frame.h"

namespace {

constexpr std::size_t kLimit = 4096;

struct Outcome {
  std::vector<std::string> messages;
  bool failed = false;
  bool at_boundary = false;
  bool operator==(const Outcome&) const = default;
};

Outcome deframe(std::span<const std::byte> body, std::size_t cut) {
  towline::grpc::Deframer deframer(kLimit);
  Outcome outcome;
  for (std::size_t at = 0; at < body.size() && !outcome.failed; at += cut) {
    deframer.push(body.subspan(at, std::min(cut, body.size() - at)));
    while (true) {
      const auto message = deframer.next();
      outcome.failed = !message;
      if (!message || !*message) break;
      if ((*message)->size() > kLimit) std::abort();
      outcome.messages.emplace_back(reinterpret_cast<const char*>((*message)->data()), (*message)->size());
    }
  }
  outcome.at_boundary = outcome.failed || deframer.at_boundary();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto body = std::as_bytes(std::span(data + 1, size - 1));
  const std::size_t cut = 1 + data[0] % 64;
  if (deframe(body, cut) != deframe(body, body.size())) std::abort();
  return 0;
}
