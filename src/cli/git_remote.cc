#include "cli/git_remote.h"

#include <array>
#include <cstdio>
#include <memory>

#include "base/encoding.h"
#include "base/url.h"

namespace towline::cli {
namespace {

// user@host:path, Git's short form of ssh.
bool is_scp_like(std::string_view remote) {
  const auto colon = remote.find(':');
  return colon != std::string_view::npos && remote.find("://") == std::string_view::npos &&
         remote.substr(0, colon).find('/') == std::string_view::npos;
}

// The remote without what may be a password in it.
std::string shown(const Url& remote) { return remote.scheme + "://" + remote.authority() + remote.path; }

std::unexpected<Status> elsewhere(const std::string& remote, const std::string& server) {
  return fail(Code::kInvalidArgument, "the remote origin is " + remote + ", not at the server " + server +
                                          ": name the project with -R group/name");
}

Result<std::string> path_below(std::string_view path, std::string_view base) {
  if (!path.starts_with(base))
    return fail(Code::kInvalidArgument, "the remote origin is outside of the server's path");
  auto decoded = percent_decode(path.substr(base.size()));
  if (!decoded) return fail(decoded.error());
  std::string_view name = *decoded;
  while (name.ends_with('/')) name.remove_suffix(1);
  if (name.ends_with(".git")) name.remove_suffix(4);
  return project_path(name);
}

}  // namespace

Result<std::string> project_path(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  if (text.find('/') == std::string_view::npos || text.find("//") != std::string_view::npos) {
    return fail(Code::kInvalidArgument,
                "\"" + std::string(text) + "\" is not the full path of a project: give it as group/name");
  }
  return std::string(text);
}

Result<std::string> project_of_remote(std::string_view remote, const std::string& server) {
  auto ours = parse_url(server);
  if (!ours) return fail(ours.error());
  std::string base = ours->path;
  while (base.ends_with('/')) base.pop_back();
  if (is_scp_like(remote)) {
    const auto colon = remote.find(':');
    std::string_view host = remote.substr(0, colon);
    host.remove_prefix(host.find('@') == std::string_view::npos ? 0 : host.find('@') + 1);
    if (host != ours->host) return elsewhere(std::string(remote), server);
    return path_below(remote.substr(colon + 1), "");
  }
  auto url = parse_url(remote);
  if (!url) {
    return fail(Code::kInvalidArgument,
                "the remote origin is not a URL: name the project with -R group/name");
  }
  const bool web = url->scheme == "https" || url->scheme == "http";
  if (!web && url->scheme != "ssh") return elsewhere(shown(*url), server);
  if (url->host != ours->host || (web && url->port != ours->port)) return elsewhere(shown(*url), server);
  return path_below(url->path, web ? base : "");
}

Result<std::string> origin_url() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> git(
      ::popen("git remote get-url origin 2>/dev/null", "re"), ::pclose);
  std::string text;
  std::array<char, 1024> buffer{};
  while (git && std::fgets(buffer.data(), buffer.size(), git.get()) != nullptr) text += buffer.data();
  while (text.ends_with('\n')) text.pop_back();
  if (text.empty()) {
    return fail(
        Code::kInvalidArgument,
        "which project? Name it with -R group/name, or run this in a Git checkout whose remote origin it is");
  }
  return text;
}

}  // namespace towline::cli
