// What a client of the proxy sends in its Authorization header, path and query, and a peer in a tunnel's
// messages.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/proto_wire.h"
#include "modules/kubernetes_api/server/credentials.h"
#include "modules/kubernetes_api/wire.h"

namespace towline::kubernetes_api {
namespace {

void credential(std::string_view text) {
  const auto parsed = parse_credential(text);
  if (!parsed) {
    if (parsed.error().message().empty()) std::abort();
    return;
  }
  if (parsed->agent_id <= 0 || parsed->token.reveal().empty()) std::abort();
  // The secret is a piece of the input, and the input is of the one form that is known.
  if (!text.ends_with(parsed->token.reveal()) || text.find("pat:") == std::string_view::npos) std::abort();
}

// What has gone through the map once does not change any more.
void query(std::string_view text) {
  HeaderMap first;
  query_to_map(text, first);
  const std::string once = query_from_map(first);
  HeaderMap second;
  query_to_map(once, second);
  if (query_from_map(second).size() != once.size() || first.size() != second.size()) std::abort();
}

void path(std::string_view text) {
  for (const char c : encode_path(text)) {
    if (c <= ' ' || c == '?' || c == '#' || c == '\x7f') std::abort();  // it ends a request's target
  }
}

void message(std::string_view text) {
  const auto field = sole_field(text);
  if (field && field->value.size() > text.size()) std::abort();
}

}  // namespace
}  // namespace towline::kubernetes_api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  towline::kubernetes_api::credential(text);
  towline::kubernetes_api::credential("Bearer pat:" + std::string(text));
  towline::kubernetes_api::query(text);
  towline::kubernetes_api::path(text);
  towline::kubernetes_api::message(text);
  return 0;
}
