#include "cli/environment.h"

#include <unistd.h>

namespace towline::cli {

Environment Environment::of_process() {
  std::map<std::string, std::string> variables;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string pair = *each;
    const auto equals = pair.find('=');
    if (equals != std::string::npos) variables.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return Environment(std::move(variables));
}

std::string Environment::get(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::string() : found->second;
}

Result<std::filesystem::path> Environment::folder(const std::string& variable, const char* below_home) const {
  // The XDG specification has relative paths ignored.
  const std::filesystem::path base = get(variable);
  if (base.is_absolute()) return base / "towline";
  const std::filesystem::path home = get("HOME");
  if (home.is_absolute()) return home / below_home / "towline";
  return fail(Code::kFailedPrecondition, "no home folder: set HOME or " + variable + " to an absolute path");
}

Result<std::filesystem::path> Environment::config_folder() const {
  return folder("XDG_CONFIG_HOME", ".config");
}
Result<std::filesystem::path> Environment::cache_folder() const { return folder("XDG_CACHE_HOME", ".cache"); }

}  // namespace towline::cli
