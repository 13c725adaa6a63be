#include <cstddef>
#include <cstdint>
#include <string_view>

#include "control/graphql/parser.h"
#include "control/graphql/types.h"
#include "control/graphql/validation.h"

// Whatever a request says, reading and checking it ends, in bounded time and memory, and problems that are
// found have words.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towline::control::graphql;
  const auto document = parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!document) {
    if (document.error().message.empty()) __builtin_trap();
    return 0;
  }
  for (const Problem& problem : validate(schema(), *document)) {
    if (problem.message.empty()) __builtin_trap();
  }
  return 0;
}
