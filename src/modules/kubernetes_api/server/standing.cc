#include "modules/kubernetes_api/server/standing.h"

#include <algorithm>
#include <utility>

namespace towline::kubernetes_api {
namespace {

constexpr std::chrono::seconds kEvery{1};

// Answers after which a request may not go on; others say nothing of its rights.
bool is_refusal(Code code) {
  return code == Code::kUnauthenticated || code == Code::kPermissionDenied || code == Code::kNotFound;
}

}  // namespace

// The requests of one loop.
struct Standing::Round {
  Round(Standing& standing, io::Loop& its_loop)
      : loop(its_loop), timer(its_loop, [this, &standing] { standing.look(*this); }) {}

  io::Loop& loop;
  io::Timer timer;
  Standing::Request* first = nullptr;
  Standing::Request* cursor = nullptr;  // the next one to look at
};

Standing::Standing(control::Backend& backend, AccessCache& cache, const Clock& clock)
    : backend_(backend), cache_(cache), clock_(clock) {}
Standing::~Standing() = default;

void Standing::enter(io::Loop& loop, Request& request) {
  Round* round = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Round>& of_loop = rounds_[&loop];
    if (of_loop == nullptr) of_loop = std::make_unique<Round>(*this, loop);
    round = of_loop.get();
  }
  request.round_ = round;
  request.next_ = round->first;
  if (round->first != nullptr) round->first->previous_ = &request;
  round->first = &request;
  if (!round->timer.armed()) round->timer.start(kEvery);
}

void Standing::leave(Request& request) {
  Round* const round = std::exchange(request.round_, nullptr);
  if (round == nullptr) return;
  if (round->cursor == &request) round->cursor = request.next_;
  if (request.previous_ != nullptr) request.previous_->next_ = request.next_;
  if (request.next_ != nullptr) request.next_->previous_ = request.previous_;
  if (round->first == &request) round->first = request.next_;
}

void Standing::look(Round& round) {
  const std::uint64_t generation = backend_.access_generation();
  Groups groups;
  for (round.cursor = round.first; round.cursor != nullptr;) {
    Request& request = *round.cursor;
    round.cursor = request.next_;
    look(request, generation, groups);
  }
  for (auto& [credential, group] : groups) ask(round.loop, std::move(group), generation);
  if (round.first != nullptr) round.timer.start(kEvery);
}

void Standing::look(Request& request, std::uint64_t generation, Groups& groups) {
  const auto expires = request.access_->access.expires_at;
  if (expires && *expires <= clock_.wall()) {
    return request.withdrawn(Status(Code::kUnauthenticated, "the access token has expired meanwhile"));
  }
  if (request.generation_ == generation) return;
  if (auto known = cache_.find(request.agent_id_, request.token_, generation)) {
    return judge(request, known, generation);
  }
  request.generation_ = generation;
  groups[{request.agent_id_, request.token_.reveal()}].push_back(request.weak());
}

void Standing::ask(io::Loop& loop, Group group, std::uint64_t generation) {
  const auto one = group.front().lock();
  if (!one) return;  // its group is of this turn, so that nobody has gone but by its own withdrawal
  const std::int64_t agent_id = one->agent_id_;
  Secret token = one->token_;
  Secret kept = token;
  backend_.access_by_token(loop, agent_id, std::move(token),
                           [this, generation, agent_id, kept = std::move(kept),
                            group = std::move(group)](Result<control::Access> answer) {
                             // A request keeps this object alive.
                             if (std::ranges::all_of(group, [](const auto& each) { return each.expired(); }))
                               return;
                             std::shared_ptr<const CachedAccess> access;
                             if (answer) {
                               access = prepare_access(std::move(*answer));
                               cache_.put(agent_id, kept, generation, access);
                             }
                             for (const auto& each : group) {
                               const auto request = each.lock();
                               if (!request || request->round_ == nullptr) continue;
                               if (access) {
                                 judge(*request, access, generation);
                               } else if (is_refusal(answer.error().code())) {
                                 request->withdrawn(answer.error());
                               } else {
                                 request->generation_ = 0;  // to be asked about again
                               }
                             }
                           });
}

void Standing::judge(Request& request, const std::shared_ptr<const CachedAccess>& access,
                     std::uint64_t generation) {
  if (access->extra != request.access_->extra) {
    return request.withdrawn(Status(Code::kPermissionDenied,
                                    "access to the agent is as somebody else now; make the request again"));
  }
  request.access_ = access;
  request.generation_ = generation;
}

}  // namespace towline::kubernetes_api
