// Names that users give to branches, tags and files: which of them a repository takes.
#include <algorithm>
#include <string_view>

#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

/// Limit: bytes of a branch's or tag's name; a longer one is refused, in the API and in a push.
constexpr std::size_t kMaxReferenceName = 255;

bool is_hexadecimal(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

// Of SHA-1 or of SHA-256, as Git writes it or in capitals.
bool looks_like_id(std::string_view name) {
  return (name.size() == 40 || name.size() == 64) && is_hexadecimal(name);
}

// `name` is what follows refs/heads/ or refs/tags/.
Status check_name(const std::string& name, const char* kind) {
  const auto bad = [&](const std::string& why) {
    return Status(Code::kInvalidArgument, "\"" + shown(name) + "\" is not a valid " + kind + " name" + why);
  };
  if (name.size() > kMaxReferenceName) return bad(": it has more than 255 bytes");
  if (looks_like_id(name)) return bad(": it would be taken for the id of a commit");
  // These mean other things wherever a revision is written.
  if (name.starts_with('-') || name.starts_with("refs/") || name == "HEAD") return bad("");
  int valid = 0;
  start_library();
  if (name.find('\0') != std::string::npos ||
      git_reference_name_is_valid(&valid, ("refs/heads/" + name).c_str()) != 0 || valid == 0) {
    return bad("");
  }
  return {};
}

}  // namespace

Status check_branch_name(const std::string& name) { return check_name(name, "branch"); }

Status check_reference_name(const std::string& reference) {
  for (const auto& [folder, kind] : {std::pair{std::string_view("refs/heads/"), "branch"},
                                     std::pair{std::string_view("refs/tags/"), "tag"}}) {
    if (reference.starts_with(folder)) return check_name(reference.substr(folder.size()), kind);
  }
  return {Code::kInvalidArgument, "\"" + shown(reference) + "\" is neither a branch nor a tag"};
}

Status check_file_path(const std::string& path) {
  const auto bad = [&](const char* why) {
    return Status(Code::kInvalidArgument, "file path \"" + shown(path) + "\": " + why);
  };
  if (path.empty()) return {Code::kInvalidArgument, "the file path is empty"};
  if (Status status = check_path(path); !status.ok()) return status;
  std::size_t at = 0;
  while (at <= path.size()) {
    const auto end = std::min(path.find('/', at), path.size());
    std::string part = path.substr(at, end - at);
    std::transform(part.begin(), part.end(), part.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (part.empty()) return bad("it must be relative and have no empty parts");
    if (part == "." || part == "..") return bad("it must not hold \".\" or \"..\"");
    if (part == ".git") return bad("it must not hold \".git\"");
    at = end + 1;
  }
  return {};
}

}  // namespace towline::control::git
