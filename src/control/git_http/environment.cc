#include "control/git_http/environment.h"

#include <cstdlib>
#include <utility>

#include "base/url.h"
#include "control/git/repository_store.h"
#include "control/git_http/request_body.h"

namespace towline::control::git_http {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

// What the repositories need of Git, whatever the machine's own configuration says.
Settings git_configuration(const RepositoryLimits& limits, const std::string& hooks) {
  return {{"safe.directory", "*"},
          {"core.fsync", "committed,reference"},
          {"core.hooksPath", hooks},
          // Larger files are streamed, and not compared with others.
          {"core.bigFileThreshold", "8m"},
          {"pack.windowMemory", "64m"},
          {"pack.threads", "2"},
          {"http.receivepack", "true"},
          {"http.getanyfile", "false"},
          {"http.maxRequestBuffer", std::to_string(kMaxWants)},
          {"uploadpack.allowFilter", "true"},
          {"uploadpack.allowAnySHA1InWant", "true"},
          // The hook proc-receive moves every reference; where it is not heard, none moves.
          {"receive.procReceiveRefs", "refs"},
          {"receive.advertisePushOptions", "false"},
          {"receive.maxInputSize", std::to_string(limits.push_bytes)},
          {"receive.fsckObjects", "true"},
          // Old histories hold these harmless faults, and refusing them helps nobody.
          {"receive.fsck.zeroPaddedFilemode", "ignore"},
          {"receive.fsck.missingSpaceBeforeDate", "ignore"},
          {"receive.fsck.badTimezone", "ignore"}};
}

}  // namespace

std::vector<std::string> environment(const Core& core, const std::string& hooks, const Operation& operation,
                                     const Permit& permit, const http::RequestHead& head,
                                     std::string_view peer) {
  std::vector<std::string> all;
  const auto add = [&](const std::string& name, std::string_view value) {
    all.push_back(name + "=" + std::string(value));
  };
  const char* path = std::getenv("PATH");
  add("PATH", path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  add("HOME", "/nonexistent");
  add("LC_ALL", "C.UTF-8");
  add("GIT_CONFIG_NOSYSTEM", "1");
  add("GIT_CONFIG_GLOBAL", "/dev/null");
  add("GIT_TERMINAL_PROMPT", "0");
  // What somebody has pushed must not stand for something else.
  add("GIT_NO_REPLACE_OBJECTS", "1");
  add("GIT_HTTP_EXPORT_ALL", "1");
  add("GIT_PROJECT_ROOT", core.repositories.root());
  add("PATH_INFO", "/" + git::RepositoryStore::relative_path(permit.project.id) + operation.endpoint);
  add("GATEWAY_INTERFACE", "CGI/1.1");
  add("SERVER_PROTOCOL", "HTTP/1.1");
  add("REQUEST_METHOD", head.method);
  add("QUERY_STRING", operation.endpoint == "/info/refs" ? head.query() : "");
  add("REMOTE_ADDR", without_port(peer));
  if (!permit.username.empty()) add("REMOTE_USER", permit.username);
  // A compressed body reaches it unpacked.
  if (head.content_length && head.method == "POST" && !operation.compressed)
    add("CONTENT_LENGTH", std::to_string(*head.content_length));
  const auto pass = [&](const char* variable, const char* field) {
    if (const auto value = head.headers.get(field)) add(variable, *value);
  };
  pass("CONTENT_TYPE", "content-type");
  pass("GIT_PROTOCOL", "git-protocol");
  const Settings settings = git_configuration(core.repositories.limits, hooks);
  add("GIT_CONFIG_COUNT", std::to_string(settings.size()));
  for (std::size_t i = 0; i < settings.size(); ++i) {
    add("GIT_CONFIG_KEY_" + std::to_string(i), settings[i].first);
    add("GIT_CONFIG_VALUE_" + std::to_string(i), settings[i].second);
  }
  return all;
}

}  // namespace towline::control::git_http
