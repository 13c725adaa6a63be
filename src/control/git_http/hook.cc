#include "control/git_http/hook.h"

#include <filesystem>
#include <sys/stat.h>

#include "base/files.h"

namespace towline::control::git_http {
namespace {

// Git's update hook (githooks(5)): the reference, what it names now, what it shall name.
constexpr const char* kUpdate = R"sh(#!/bin/sh
branch=${1#refs/heads/}
[ "$branch" != "$1" ] || exit 0
matched=0 push=0 force=0
while IFS='	' read -r pattern may_push may_force; do
  [ -n "$pattern" ] || continue
  case $branch in
    $pattern) ;;
    *) continue ;;
  esac
  matched=1
  [ "$may_push" = 0 ] || push=1
  [ "$may_force" = 0 ] || force=1
done <<RULES
$TOWLINE_PROTECTED
RULES
[ $matched = 1 ] || exit 0
if [ $push = 0 ]; then
  echo "You are not allowed to push into the protected branch \"$branch\"." >&2
  exit 1
fi
[ $force = 0 ] || exit 0
case $3 in
  *[!0]*) ;;
  *)
    echo "The protected branch \"$branch\" cannot be deleted." >&2
    exit 1
    ;;
esac
case $2 in
  *[!0]*) ;;
  *) exit 0 ;;
esac
if ! git merge-base --is-ancestor "$2" "$3"; then
  echo "You are not allowed to force push into the protected branch \"$branch\"." >&2
  exit 1
fi
)sh";

}  // namespace

Status write_hooks(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return {Code::kInternal, folder + ": " + error.message()};
  return replace_file(folder + "/update", kUpdate, S_IRWXU);
}

}  // namespace towline::control::git_http
