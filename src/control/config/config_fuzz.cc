#include <cstddef>
#include <cstdint>
#include <string>

#include "control/config/configuration_file.h"
#include "proto/agentcfg.pb.h"

// Whatever the file holds, parsing it ends, in bounded time and memory, with a configuration or with faults.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto parsed = towline::control::config::parse_configuration(text);
  if (!parsed && parsed.error().empty()) __builtin_trap();
  if (parsed) {
    gitlab::agent::agentcfg::ConfigurationFile again;
    if (!again.ParseFromString(parsed->file->SerializeAsString())) __builtin_trap();
  }
  return 0;
}
