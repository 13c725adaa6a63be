#include "control/git_http/git_http.h"

#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "control/git/repository_store.h"
#include "control/git_http/environment.h"
#include "control/git_http/gate.h"
#include "control/git_http/hook.h"
#include "control/git_http/referee.h"
#include "control/git_http/session.h"
#include "control/git_http/slots.h"
#include "http/simple.h"
#include "io/fair_pool.h"

namespace towline::control::git_http {
namespace {

// One request on its way.
struct Request {
  Operation operation;
  http::RequestHead head;
  std::string peer;
  Permit permit;           // once it is known
  http::Response refusal;  // or why there is none
  bool refused = true;
  std::optional<Child> child;
};

class Handler final : public http::RequestHandler {
 public:
  Handler(Core& core, io::FairPool& pool) : core_(core), pool_(pool), gate_(core), referee_(core) {
    const Status written = write_hooks(hooks_);
    if (!written.ok()) core.log.error("pushes are refused: " + written.message());
    writable_ = written.ok();
  }

  void on_request(http::RequestHead head, bool has_body,
                  std::unique_ptr<http::ServerExchange> exchange) override {
    auto operation = parse_operation(head);
    if (!operation) return http::send(*exchange, git_message(404, operation.error().message()));
    auto session = std::make_shared<Session>(std::move(exchange), has_body, core_.log);
    auto request = std::make_shared<Request>();
    request->operation = std::move(*operation);
    request->head = std::move(head);
    request->peer = session->peer();
    session->set_hooks(hooks(session, request));
    {
      const std::lock_guard lock(mutex_);
      sessions_[session.get()] = session;
    }
    work(
        session, request, [this, request] { admit(*request); }, &Handler::collect);
  }

 private:
  using SessionPtr = std::shared_ptr<Session>;
  using RequestPtr = std::shared_ptr<Request>;
  using Next = void (Handler::*)(Session&, const RequestPtr&);

  // The registry owns the sessions: what waits on a loop must not outlive this handler.
  Session::Hooks hooks(const std::weak_ptr<Session>& weak, const RequestPtr& request) {
    Session::Hooks hooks{
        .begun = [this, weak, request] { enter(weak, request); },
        .ask = [this, weak, request](auto question) { judge(weak, request, std::move(question)); },
        .over = [this, weak] { forget(weak); }};
    if (request->operation.moves_references())
      hooks.check = [this] { return core_.repositories.meter.check_room(); };
    return hooks;
  }

  // Does something that blocks, then goes on with what is still there.
  void work(const SessionPtr& session, const RequestPtr& request, io::Task blocking, Next next) {
    auto done = [this, weak = std::weak_ptr(session), request, next] {
      const auto still = weak.lock();
      if (!still || !still->alive()) return;
      if (request->refused) return still->refuse(request->refusal);
      (this->*next)(*still, request);
    };
    request->refusal = git_message(503, "The server is shutting down.");
    if (pool_.submit(session->loop(), caller_of(*request), std::move(blocking), std::move(done)).ok()) return;
    session->refuse(busy("The server has too much to do; try again.", 503));
  }

  static http::Response busy(const std::string& message, int status) {
    http::Response response = git_message(status, message);
    response.headers.add("retry-after", "5");
    return response;
  }

  static io::Caller caller_of(const Request& request) {
    const std::int64_t user = request.permit.user_id;  // until it is known, he is a stranger
    return user != 0 ? io::Caller::user(user) : io::Caller::address(request.peer);
  }

  void admit(Request& request) {
    auto permit = gate_.check(request.operation, request.head, request.peer);
    if (!permit) {
      request.refusal = std::move(permit.error());
      return;
    }
    request.permit = std::move(*permit);
    if (request.operation.writes && !writable_) {
      request.refusal = git_message(500, "The server cannot take pushes; its log says why.");
      return;
    }
    const Status room = request.operation.writes ? core_.repositories.meter.check_room() : Status();
    if (!room.ok()) {
      request.refusal = busy(room.message(), 503);
      return;
    }
    request.refused = false;
  }

  void collect(Session& session, const RequestPtr& request) {
    const Operation& operation = request->operation;
    session.collect(
        {.pushes = operation.moves_references(),
         .compressed = operation.compressed,
         .limit = operation.writes ? core_.repositories.limits.push_bytes + kMaxCommandList : kMaxWants});
  }

  // From inside the session.
  void enter(const std::weak_ptr<Session>& weak, const RequestPtr& request) {
    const auto session = weak.lock();
    if (!session) return;
    auto granted = [this, weak, request, &loop = session->loop()] {
      loop.post([this, weak, request] { start(weak, request); });
    };
    Slots::Refusal refusal{};
    auto ticket = slots_->enter(caller_of(*request), std::move(granted), refusal);
    if (refusal == Slots::Refusal::kCaller)
      return session->refuse(busy("Too many clones and pushes of yours at once; try again.", 429));
    if (refusal == Slots::Refusal::kAll)
      return session->refuse(busy("Too many clones and pushes at once; try again.", 503));
    session->hold(std::move(ticket));
  }

  void start(const std::weak_ptr<Session>& weak, const RequestPtr& request) {
    const auto session = weak.lock();
    if (!session || !session->alive()) return;
    request->refused = true;
    work(
        session, request, [this, request] { spawn(*request); }, &Handler::run);
  }

  void spawn(Request& request) {
    auto child = Child::spawn(
        {"git", "http-backend"},
        environment(core_, hooks_, request.operation, request.permit, request.head, request.peer),
        request.operation.moves_references());
    if (child) {
      request.child.emplace(std::move(*child));
      request.refused = false;
      return;
    }
    core_.log.error("git cannot be run", {{"error", child.error().message()}});
    request.refusal = git_message(500, "The server cannot run git.");
  }

  void run(Session& session, const RequestPtr& request) {
    session.run(std::move(*request->child));
    request->child.reset();
  }

  // Off the loop: git waits for the answer.
  void judge(const std::weak_ptr<Session>& weak, const RequestPtr& request, PushDialogue::Question question) {
    const auto session = weak.lock();
    if (!session) return;
    const bool last = question.moves;
    auto answer = std::make_shared<std::string>(PushDialogue::refuse({"The server is shutting down."}));
    auto blocking = [this, request, answer, question = std::move(question)] {
      *answer = referee_.answer(request->permit, question, request->peer);
    };
    auto done = [weak, answer, last] {
      if (const auto still = weak.lock()) still->answer(std::move(*answer), last);
    };
    if (pool_.submit(session->loop(), caller_of(*request), std::move(blocking), std::move(done)).ok()) return;
    session->answer(PushDialogue::refuse({"The server has too much to do; try again."}), true);
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
  Referee referee_;
  const std::string hooks_ = core_.repositories.root() + "/../hooks";
  bool writable_ = false;  // the hooks stand
  std::shared_ptr<Slots> slots_ = std::make_shared<Slots>();
  std::mutex mutex_;
  std::map<Session*, SessionPtr> sessions_;
};

}  // namespace

std::unique_ptr<http::RequestHandler> make_handler(Core& core, io::FairPool& pool) {
  return std::make_unique<Handler>(core, pool);
}

}  // namespace towline::control::git_http
