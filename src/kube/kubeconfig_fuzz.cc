#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kube/kubeconfig.h"
#include "kube/selection.h"

// A kubeconfig is often somebody else's file: whatever it holds must end in a configuration or an error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towline::kube;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto kubeconfig = parse_kubeconfig(text, "/folder/config");
  if (!kubeconfig) return 0;
  Overrides overrides;
  for (const auto& [name, context] : kubeconfig->contexts) {
    overrides.context = name;
    auto selection = select_entries(*kubeconfig, overrides, "fuzz");
    if (!selection) continue;
    apply_overrides(*selection, overrides);
    if (check_selection(*selection).ok()) (void)server_url(*selection);
  }
  merge_kubeconfig(*kubeconfig, *kubeconfig);
  return 0;
}
