#include "kube/config.h"

#include <string_view>
#include <unistd.h>

#include "kube/environment.h"

namespace towline::kube {

// This file holds nothing else, so that a test that brings its own environment needs no real TLS.

Environment process_environment() {
  Environment environment;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  environment.make_tls = &io::TlsClientContext::create;
  return environment;
}

Result<ClusterConfig> load_config(const Overrides& overrides, io::WorkerPool& workers) {
  return load_config(overrides, workers, process_environment());
}

}  // namespace towline::kube
