// What an agent answers about itself: outside input for the server.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "modules/doctor/report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towline::doctor;
  const auto report = parse_report(std::string(reinterpret_cast<const char*>(data), size));
  if (!report) return 0;
  to_text(*report);
  to_json(*report);
  const auto again = parse_report(to_message(*report));
  if (!again || again->checks != report->checks) std::abort();
  return 0;
}
