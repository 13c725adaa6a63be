#include "control/agent_authenticator.h"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/encoding.h"
#include "base/failure_throttle.h"
#include "control/api/throttle.h"
#include "io/loop.h"

namespace towline::control {
namespace {

/// Limit: tokens that are remembered, right ones and wrong ones each; over it all are forgotten, which costs
/// one question to the control plane for each.
constexpr std::size_t kMaxEntries = 50'000;
/// Limit: length of an agent token with its "Bearer"; over it the token is wrong.
constexpr std::size_t kMaxToken = 512;
/// Limit: different wrong agent tokens from one address, as a burst and in a minute; over it further tokens
/// that are not known are refused unread with RESOURCE_EXHAUSTED.
constexpr FailureThrottle::Policy kGuesses{.per_minute = 60, .burst = 100};
// A wrong token that comes again is refused without a question, and is no further guess.
constexpr std::chrono::seconds kWrongFor{60};
// How often a question is asked, because meanwhile this token was revoked or so many that nobody knows.
constexpr int kMaxAsked = 5;
// The last revocations, for answers that were on their way.
constexpr std::size_t kRemembered = 1000;

constexpr const char* kTooOften = "this token has made too many connections in the last minute";

// At most `limit` events in any minute.
class Recent {
 public:
  bool allow(Clock::TimePoint now, std::size_t limit) {
    while (!events_.empty() && events_.front() < now - std::chrono::minutes(1)) events_.pop_front();
    if (events_.size() >= limit) return false;
    events_.push_back(now);
    return true;
  }
  bool quiet(Clock::TimePoint now) const {
    return events_.empty() || events_.back() < now - std::chrono::minutes(1);
  }

 private:
  std::deque<Clock::TimePoint> events_;
};

// A token of which this server knows: it is remembered, its calls run, or it has made some lately.
struct Use {
  AuthenticatedAgent agent;
  std::atomic<bool> ended{false};
  std::array<Recent, 3> recent;  // connections, configurations, registrations
  std::vector<std::weak_ptr<const void>> connections;
};

}  // namespace

struct AgentAuthenticator::State : std::enable_shared_from_this<State> {
  State(Backend& b, const Clock& c, Options o) : backend(b), clock(c), options(o), guesses(c, kGuesses) {}

  struct Entry {
    std::shared_ptr<Use> use;
    Clock::TimePoint expires;
  };

  Backend& backend;
  const Clock& clock;
  const Options options;
  api::Throttle guesses;

  std::mutex mutex;
  std::unordered_map<std::string, Entry> entries;           // by the token's hash
  std::unordered_map<std::string, Clock::TimePoint> wrong;  // until when
  std::unordered_map<std::int64_t, std::shared_ptr<Use>> uses;
  // Grows with each revocation: an answer about a token that was asked for before its revocation is asked for
  // again.
  std::uint64_t generation = 0;
  std::deque<std::int64_t> last_revoked;  // the newest last

  void revoked(const AgentTokenRevoked& event);
  // The rest with the mutex held.
  Result<AdmittedAgent> admit(const std::shared_ptr<Use>& use, const std::weak_ptr<const void>& connection,
                              Method method);
  Status count_connection(Use& use, const std::weak_ptr<const void>& connection);
  bool is_wrong(const std::string& key);
  bool revoked_since(std::uint64_t before, std::int64_t token_id) const;
  std::shared_ptr<Use> use_of(const AuthenticatedAgent& agent);
  void remember(const std::string& key, const std::shared_ptr<Use>& use);
};

void AgentAuthenticator::State::revoked(const AgentTokenRevoked& event) {
  const std::lock_guard lock(mutex);
  ++generation;
  last_revoked.push_back(event.token_id);
  if (last_revoked.size() > kRemembered) last_revoked.pop_front();
  std::erase_if(entries, [&](const auto& each) { return each.second.use->agent.token_id == event.token_id; });
  const auto found = uses.find(event.token_id);
  if (found == uses.end()) return;
  found->second->ended = true;
  uses.erase(found);
}

Result<AdmittedAgent> AgentAuthenticator::State::admit(const std::shared_ptr<Use>& use,
                                                       const std::weak_ptr<const void>& connection,
                                                       Method method) {
  if (Status status = count_connection(*use, connection); !status.ok()) return fail(status);
  if (method != Method::kTunnel &&
      !use->recent[static_cast<std::size_t>(method)].allow(clock.now(), options.per_minute)) {
    return fail(Code::kResourceExhausted, kTooOften);
  }
  AdmittedAgent admitted;
  static_cast<AuthenticatedAgent&>(admitted) = use->agent;
  admitted.ended = std::shared_ptr<const std::atomic<bool>>(use, &use->ended);
  return admitted;
}

Status AgentAuthenticator::State::count_connection(Use& use, const std::weak_ptr<const void>& connection) {
  for (const auto& each : use.connections) {
    if (!each.owner_before(connection) && !connection.owner_before(each)) return {};
  }
  std::erase_if(use.connections, [](const auto& each) { return each.expired(); });
  if (use.connections.size() >= options.max_connections) {
    return {Code::kResourceExhausted,
            "this token has " + std::to_string(use.connections.size()) +
                " connections at once, the limit: look for other agents that have it"};
  }
  if (!use.recent[0].allow(clock.now(), options.per_minute)) return {Code::kResourceExhausted, kTooOften};
  use.connections.push_back(connection);
  return {};
}

bool AgentAuthenticator::State::is_wrong(const std::string& key) {
  const auto found = wrong.find(key);
  return found != wrong.end() && found->second > clock.now();
}

bool AgentAuthenticator::State::revoked_since(std::uint64_t before, std::int64_t token_id) const {
  const std::uint64_t count = generation - before;
  if (count > last_revoked.size()) return true;  // too many to know
  return std::find(last_revoked.end() - static_cast<std::ptrdiff_t>(count), last_revoked.end(), token_id) !=
         last_revoked.end();
}

std::shared_ptr<Use> AgentAuthenticator::State::use_of(const AuthenticatedAgent& agent) {
  std::shared_ptr<Use>& use = uses[agent.token_id];
  if (use == nullptr) use = std::make_shared<Use>();
  use->agent = agent;
  return use;
}

void AgentAuthenticator::State::remember(const std::string& key, const std::shared_ptr<Use>& use) {
  if (entries.size() >= kMaxEntries) entries.clear();
  entries[key] = {use, clock.now() + options.ttl};
}

// Asks the control plane for one caller. Lives on the caller's loop.
struct AgentAuthenticator::Question : std::enable_shared_from_this<Question> {
  Question(std::shared_ptr<State> s, Caller c, Method m, std::string_view t, std::string k, Answer a)
      : state(std::move(s)),
        caller(std::move(c)),
        peer(caller.peer),
        method(m),
        token(std::string(t)),
        key(std::move(k)),
        answer(std::move(a)),
        limit(caller.loop, [this] {
          reply(fail(Code::kUnavailable,
                     "the control plane does not say in time whose the token is; try again"));
        }) {
    limit.start(state->options.answer_time);
  }

  void ask(std::uint64_t generation) {
    ++asked;
    state->backend.agent_by_token(caller.loop, token, [self = shared_from_this(), generation](auto agent) {
      self->answered(std::move(agent), generation);
    });
  }

  void answered(Result<AuthenticatedAgent> agent, std::uint64_t generation) {
    if (!agent) {
      if (agent.error().code() == Code::kUnauthenticated) guessed();
      return reply(fail(agent.error()));
    }
    Result<AdmittedAgent> admitted = fail(Code::kUnavailable, "tokens are being revoked; try again");
    bool again = false;
    {
      const std::lock_guard lock(state->mutex);
      again = state->revoked_since(generation, agent->token_id);
      generation = state->generation;
      if (!again) {
        const auto use = state->use_of(*agent);
        state->remember(key, use);
        if (answer) admitted = state->admit(use, caller.connection, method);
      }
    }
    if (again && asked < kMaxAsked) return ask(generation);
    reply(std::move(admitted));
  }

  void guessed() {
    (void)state->guesses.failed(peer);
    const std::lock_guard lock(state->mutex);
    if (state->wrong.size() >= kMaxEntries) state->wrong.clear();
    state->wrong[key] = state->clock.now() + kWrongFor;
  }

  void reply(Result<AdmittedAgent> result) {
    limit.cancel();
    if (answer) std::exchange(answer, nullptr)(std::move(result));
  }

  const std::shared_ptr<State> state;
  const Caller caller;
  const std::string peer;
  const Method method;
  const Secret token;
  const std::string key;
  Answer answer;  // null: given
  io::Timer limit;
  int asked = 0;
};

AgentAuthenticator::AgentAuthenticator(Backend& backend, const Clock& clock, Options options)
    : state_(std::make_shared<State>(backend, clock, options)) {
  subscription_ = backend.subscribe([state = state_](const Event& event) {
    if (const auto* revoked = std::get_if<AgentTokenRevoked>(&event)) state->revoked(*revoked);
  });
}
AgentAuthenticator::~AgentAuthenticator() = default;

void AgentAuthenticator::authenticate(Caller caller, const http::Headers& metadata, Method method,
                                      Answer answer) {
  const auto post = [&](Result<AdmittedAgent> result) {
    caller.loop.post(
        [answer = std::move(answer), result = std::move(result)]() mutable { answer(std::move(result)); });
  };
  const std::string_view header = metadata.get("authorization").value_or("");
  const bool bearer = header.size() > 7 && http::equals_ignoring_case(header.substr(0, 7), "bearer ");
  if (!bearer || header.size() > kMaxToken) {
    return post(fail(Code::kUnauthenticated, "the call carries no agent token"));
  }
  const std::string_view token = header.substr(7);
  std::string key = sha256(token);
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(state_->mutex);
    generation = state_->generation;
    const auto found = state_->entries.find(key);
    if (found != state_->entries.end() && found->second.expires > state_->clock.now()) {
      return post(state_->admit(found->second.use, caller.connection, method));
    }
    if (state_->is_wrong(key))
      return post(fail(Code::kUnauthenticated, "the agent token is wrong or revoked"));
  }
  if (state_->guesses.exhausted(caller.peer)) {
    return post(fail(Code::kResourceExhausted,
                     "too many wrong agent tokens have come from this address; try again in a minute"));
  }
  std::make_shared<Question>(state_, std::move(caller), method, token, std::move(key), std::move(answer))
      ->ask(generation);
}

std::vector<AgentTokenInUse> AgentAuthenticator::tokens_in_use() {
  const std::lock_guard lock(state_->mutex);
  const Clock::TimePoint now = state_->clock.now();
  std::erase_if(state_->entries, [&](const auto& each) { return each.second.expires <= now; });
  std::erase_if(state_->wrong, [&](const auto& each) { return each.second <= now; });
  std::vector<AgentTokenInUse> tokens;
  for (auto each = state_->uses.begin(); each != state_->uses.end();) {
    const std::shared_ptr<Use>& use = each->second;
    if (use.use_count() > 1) {
      tokens.push_back({use->agent.agent.id, use->agent.token_id});
    } else if (std::ranges::all_of(use->recent, [&](const Recent& recent) { return recent.quiet(now); })) {
      each = state_->uses.erase(each);
      continue;
    }
    ++each;
  }
  return tokens;
}

}  // namespace towline::control
