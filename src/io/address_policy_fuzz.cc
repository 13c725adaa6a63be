// An allow-list and a host of arbitrary bytes. The first line is the host, each further one an entry of the
// list.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "io/address_policy.h"

namespace towline::io {
namespace {

// What is refused can be allowed by the very words of the refusal, and by nothing less.
void check(const std::string& host, const AddressPolicy& policy) {
  const Status status = policy.check_host(host, 443);
  if (status.ok() || status.code() == Code::kInvalidArgument) return;
  const auto entry = status.message().substr(status.message().rfind(' ') + 1);
  const auto allowing = AddressPolicy::parse({entry});
  if (!allowing || !allowing->check_host(host, 443).ok() || allowing->check_host(host, 444).ok())
    std::abort();
}

}  // namespace
}  // namespace towline::io

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towline::io;
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') {
      lines.emplace_back();
    } else {
      lines.back().push_back(static_cast<char>(data[i]));
    }
  }
  const std::string host = lines.front();
  lines.erase(lines.begin());
  check(host, AddressPolicy());
  const auto policy = AddressPolicy::parse(lines);
  if (!policy && policy.error().message().empty()) std::abort();
  if (policy) check(host, *policy);
  return 0;
}
