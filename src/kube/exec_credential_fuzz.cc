#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kube/exec_plugin.h"
#include "kube/rfc3339.h"

// What a plugin writes, to standard output and to standard error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towline::kube;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_exec_credential(text, "client.authentication.k8s.io/v1");
  (void)parse_rfc3339(text);
  if (error_excerpt(text, {towline::Secret("secret")}).size() > 500) std::abort();
  return 0;
}
