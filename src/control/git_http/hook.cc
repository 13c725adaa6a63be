#include "control/git_http/hook.h"

#include <filesystem>
#include <sys/stat.h>

#include "base/files.h"

namespace towline::control::git_http {
namespace {

// Runs once, when the objects are there but not yet part of the repository: a refusal drops them.
constexpr const char* kPreReceive = R"sh(#!/bin/sh
printf 'pre-receive %s\n' "$GIT_QUARANTINE_PATH" >&3 || exit 1
cat >&3 || exit 1
printf '\n' >&3
while IFS= read -r line <&3; do
  case $line in
    accepted) exit 0 ;;
    refused) exit 1 ;;
    *) printf '%s\n' "${line#say }" >&2 ;;
  esac
done
echo "The server did not answer." >&2
exit 1
)sh";

// Moves the references in Git's place. The answer's end closes the output that Git reads.
constexpr const char* kProcReceive = R"sh(#!/bin/sh
printf 'proc-receive\n' >&3 || exit 1
cat <&3 &
exec cat >&3
)sh";

}  // namespace

Status write_hooks(const std::string& folder) {
  if (!std::filesystem::path(folder).is_absolute())
    return {Code::kInternal, folder + ": the folder of hooks must be absolute"};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return {Code::kInternal, folder + ": " + error.message()};
  // Of earlier versions, where the hook decided.
  std::filesystem::remove(folder + "/update", error);
  if (Status status = replace_file(folder + "/pre-receive", kPreReceive, S_IRWXU); !status.ok())
    return status;
  return replace_file(folder + "/proc-receive", kProcReceive, S_IRWXU);
}

}  // namespace towline::control::git_http
