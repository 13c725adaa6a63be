#include "control/domain/usage.h"

#include <utility>

#include "control/domain/core.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/user_table.h"

namespace towline::control {
namespace {

constexpr Millis kTokenInterval = 60'000;
// Notes gather this long before they are written together.
constexpr std::chrono::milliseconds kGather{500};
// Entries of the "written lately" maps above which those that are no longer of use are dropped.
constexpr std::size_t kMaxRemembered = 10'000;

}  // namespace

UsageRecorder::UsageRecorder(Database& db, const Clock& clock, Logger log)
    : db_(db), clock_(clock), log_(std::move(log)), thread_([this] { run(); }) {}

UsageRecorder::~UsageRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  flush();
}

Millis UsageRecorder::now() const { return millis(clock_.wall()); }

void UsageRecorder::note(std::map<std::int64_t, Millis>& notes, std::map<std::int64_t, Millis>& written,
                         std::int64_t id) {
  const Millis at = now();
  const std::lock_guard lock(mutex_);
  const auto last = written.find(id);
  if (last != written.end() && at - last->second < kTokenInterval) return;
  if (written.size() > kMaxRemembered) {
    std::erase_if(written, [&](const auto& each) { return at - each.second >= kTokenInterval; });
  }
  written[id] = at;
  notes[id] = at;
  changed_.notify_one();
}

void UsageRecorder::token_used(std::int64_t id) { note(notes_.tokens, tokens_written_, id); }

void UsageRecorder::agent_token_used(std::int64_t id) {
  note(notes_.agent_tokens, agent_tokens_written_, id);
}

void UsageRecorder::agent_seen(AgentPresence presence) {
  if (presence.token_id != 0) agent_token_used(presence.token_id);
  const std::pair key{presence.agent_id, presence.pod_id};
  const Millis at = now();
  const std::lock_guard lock(mutex_);
  notes_.pods[key] = {std::move(presence), at};
  changed_.notify_one();
}

void UsageRecorder::flush() {
  const std::lock_guard writing(writing_);
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    notes = std::exchange(notes_, {});
  }
  if (notes.empty()) return;
  const Status status = db_.write_quietly([&](soci::session& sql) {
    for (const auto& [id, at] : notes.tokens) AccessTokenTable(sql).touch(id, at);
    for (const auto& [id, at] : notes.agent_tokens) AgentTokenTable(sql).touch(id, at);
    for (const auto& [key, pod] : notes.pods) AgentTable(sql).record_presence(pod.first, pod.second);
  });
  if (!status.ok()) log_.warn("last use was not recorded", {{"error", status.to_string()}});
}

void UsageRecorder::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait(lock, [&] { return stopping_ || !notes_.empty(); });
    changed_.wait_for(lock, kGather, [&] { return stopping_; });
    lock.unlock();
    flush();
    lock.lock();
  }
}

}  // namespace towline::control
