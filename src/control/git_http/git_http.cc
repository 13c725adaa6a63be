#include "control/git_http/git_http.h"

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/url.h"
#include "control/domain/contents.h"
#include "control/domain/usage.h"
#include "control/git/repository_store.h"
#include "control/git_http/gate.h"
#include "control/git_http/hook.h"
#include "control/git_http/session.h"
#include "http/simple.h"
#include "io/fair_pool.h"

namespace towline::control::git_http {
namespace {

// What the repositories need of Git, whatever the machine's own configuration says.
const std::vector<std::pair<std::string, std::string>>& git_configuration() {
  static const std::vector<std::pair<std::string, std::string>> kSettings = {
      {"safe.directory", "*"},
      {"core.fsync", "committed,reference"},
      {"http.receivepack", "true"},
      {"http.getanyfile", "false"},
      {"uploadpack.allowFilter", "true"},
      {"uploadpack.allowAnySHA1InWant", "true"},
      {"receive.denyNonFastForwards", "false"},
      {"receive.fsckObjects", "true"},
      // Old histories hold these harmless faults, and refusing them helps nobody.
      {"receive.fsck.zeroPaddedFilemode", "ignore"},
      {"receive.fsck.missingSpaceBeforeDate", "ignore"},
      {"receive.fsck.badTimezone", "ignore"}};
  return kSettings;
}

std::string hooks_folder(const Core& core) { return core.repositories.root() + "/../hooks"; }

std::vector<std::string> environment(const Core& core, const Operation& operation, const Permit& permit,
                                     const http::RequestHead& head, std::string_view peer) {
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
  add("GIT_HTTP_EXPORT_ALL", "1");
  add("GIT_PROJECT_ROOT", core.repositories.root());
  add("PATH_INFO", "/" + git::RepositoryStore::relative_path(permit.project.id) + operation.endpoint);
  add("GATEWAY_INTERFACE", "CGI/1.1");
  add("SERVER_PROTOCOL", "HTTP/1.1");
  add("REQUEST_METHOD", head.method);
  add("QUERY_STRING", head.query());
  add("REMOTE_ADDR", without_port(peer));
  if (!permit.username.empty()) add("REMOTE_USER", permit.username);
  if (head.content_length && head.method == "POST")
    add("CONTENT_LENGTH", std::to_string(*head.content_length));
  const auto pass = [&](const char* variable, const char* field) {
    if (const auto value = head.headers.get(field)) add(variable, *value);
  };
  pass("CONTENT_TYPE", "content-type");
  pass("HTTP_CONTENT_ENCODING", "content-encoding");
  pass("GIT_PROTOCOL", "git-protocol");
  add("TOWLINE_PROTECTED", permit.rules);
  auto settings = git_configuration();
  settings.emplace_back("core.hooksPath", hooks_folder(core));
  add("GIT_CONFIG_COUNT", std::to_string(settings.size()));
  for (std::size_t i = 0; i < settings.size(); ++i) {
    add("GIT_CONFIG_KEY_" + std::to_string(i), settings[i].first);
    add("GIT_CONFIG_VALUE_" + std::to_string(i), settings[i].second);
  }
  return all;
}

// What a worker thread prepares for a session: a child, or the response that there is none.
struct Prepared {
  std::optional<Child> child;
  Permit permit;
  bool moves_references = false;
  http::Response refusal;
};

class Handler final : public http::RequestHandler {
 public:
  Handler(Core& core, io::FairPool& pool) : core_(core), pool_(pool), gate_(core) {
    const Status written = write_hooks(hooks_folder(core));
    // Without hooks Git would take any push, also into protected branches.
    if (!written.ok()) core.log.error("pushes are refused: " + written.message());
    writable_ = written.ok();
  }

  void on_request(http::RequestHead head, bool has_body,
                  std::unique_ptr<http::ServerExchange> exchange) override {
    auto operation = parse_operation(head);
    if (!operation) return http::send(*exchange, git_message(404, operation.error().message()));
    auto session = std::make_shared<Session>(std::move(exchange), has_body, core_.log);
    {
      const std::lock_guard lock(mutex_);
      sessions_[session.get()] = session;
    }
    prepare(session, std::move(*operation), std::move(head));
  }

 private:
  Session::Hooks hooks(const std::shared_ptr<Session>& session, std::shared_ptr<Prepared> prepared) {
    std::weak_ptr<Session> weak = session;
    return {
        .child_ended = [this, weak, prepared](auto release) { record(weak, prepared, std::move(release)); },
        .over = [this, weak] { forget(weak); }};
  }

  void prepare(const std::shared_ptr<Session>& session, Operation operation, http::RequestHead head) {
    auto prepared = std::make_shared<Prepared>();
    prepared->refusal = git_message(503, "The server is shutting down.");
    auto work = [this, prepared, peer = std::string(session->peer()), operation = std::move(operation),
                 head = std::move(head)] { fill(*prepared, operation, head, peer); };
    auto done = [this, weak = std::weak_ptr(session), prepared] { begin(weak.lock(), prepared); };
    const auto who = io::Caller::address(session->peer());
    if (pool_.submit(session->loop(), who, std::move(work), std::move(done)).ok()) return;
    prepared->refusal = git_message(503, "The server has too much to do; try again.");
    session->refuse(prepared->refusal, hooks(session, prepared));
  }

  void fill(Prepared& prepared, const Operation& operation, const http::RequestHead& head,
            const std::string& peer) {
    auto permit = gate_.check(operation, head, peer);
    if (!permit) {
      prepared.refusal = std::move(permit.error());
      return;
    }
    if (operation.writes && !writable_) {
      prepared.refusal = git_message(500, "The server cannot take pushes; its log says why.");
      return;
    }
    if (children_.fetch_add(1) >= kMaxChildren) {
      children_.fetch_sub(1);
      prepared.refusal = git_message(503, "Too many clones and pushes at once; try again.");
      prepared.refusal.headers.add("retry-after", "5");
      return;
    }
    prepared.permit = std::move(*permit);
    prepared.moves_references = operation.moves_references();
    auto child =
        Child::spawn({"git", "http-backend"}, environment(core_, operation, prepared.permit, head, peer));
    if (child) {
      prepared.child.emplace(std::move(*child));
      return;
    }
    children_.fetch_sub(1);
    core_.log.error("git cannot be run", {{"error", child.error().message()}});
    prepared.refusal = git_message(500, "The server cannot run git.");
  }

  // The registry owns the sessions: what waits on a loop must not outlive this handler.
  void begin(const std::shared_ptr<Session>& session, const std::shared_ptr<Prepared>& prepared) {
    if (!session) return;
    if (!prepared->child) return session->refuse(prepared->refusal, hooks(session, prepared));
    if (session->alive()) return session->run(std::move(*prepared->child), hooks(session, prepared));
    prepared->child.reset();
    children_.fetch_sub(1);
    forget(session);
  }

  // After the child's end: looks for references that moved, off the loop. Also when the client has gone: what
  // it pushed may be there all the same.
  void record(const std::weak_ptr<Session>& weak, const std::shared_ptr<Prepared>& prepared,
              std::function<void()> release) {
    children_.fetch_sub(1);
    const auto session = weak.lock();
    if (!session) return;
    if (!prepared->moves_references) return release();
    auto work = [this, prepared, peer = std::string(session->peer())] {
      tell_of_push(prepared->permit, peer);
    };
    auto done = [weak, release] {
      if (const auto still = weak.lock()) release();
    };
    // The push is done already: nobody is to be refused, and nobody has to wait for his turn.
    if (pool_.submit(session->loop(), {}, work, done).ok()) return;
    work();
    release();
  }

  void tell_of_push(const Permit& permit, const std::string& peer) {
    const auto changed = Contents(core_).references_changed(permit.project, permit.before);
    if (changed.empty()) return;
    std::string target = permit.project.full_path + ":";
    for (const std::string& name : changed) target += " " + name;
    constexpr std::size_t kMaxTarget = 1000;
    if (target.size() > kMaxTarget) target.replace(kMaxTarget, std::string::npos, "...");
    core_.usage.audit({.user_id = permit.user_id,
                       .username = permit.username,
                       .action = "git push",
                       .target = std::move(target)},
                      peer);
  }

  // Later: it is called from inside the session.
  void forget(const std::weak_ptr<Session>& weak) {
    const auto session = weak.lock();
    if (!session) return;
    const std::lock_guard lock(mutex_);
    sessions_.erase(session.get());
    session->loop().post([session] {});
  }

  Core& core_;
  io::FairPool& pool_;
  Gate gate_;
  bool writable_ = false;  // the hooks stand
  std::atomic<std::size_t> children_{0};
  std::mutex mutex_;
  std::map<Session*, std::shared_ptr<Session>> sessions_;
};

}  // namespace

std::unique_ptr<http::RequestHandler> make_handler(Core& core, io::FairPool& pool) {
  return std::make_unique<Handler>(core, pool);
}

}  // namespace towline::control::git_http
