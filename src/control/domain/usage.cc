#include "control/domain/usage.h"

#include <iterator>
#include <utility>

#include "base/url.h"
#include "control/domain/core.h"
#include "control/store/agent_event_table.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/user_table.h"
#include "control/utf8.h"

namespace towline::control {
namespace {

constexpr Millis kTokenInterval = 60'000;
// Notes gather this long before they are written together.
constexpr std::chrono::milliseconds kGather{500};
// Agents that went are looked at this often, so that those that stay away are noticed.
constexpr std::chrono::seconds kLookAgain{5};
// Old rows of the audit log go this often, and this many in one transaction.
constexpr Millis kClearEvery = 3'600'000;
constexpr std::int64_t kClearShare = 1'000;
constexpr Millis kLongAway = 3'600'000;
// Entries of the "written lately" maps above which those that are no longer of use are dropped.
constexpr std::size_t kMaxRemembered = 10'000;

// Drops from the front, where the oldest are, what is more than kMaxWaiting.
std::size_t drop_oldest(auto& notes) {
  if (notes.size() <= UsageRecorder::kMaxWaiting) return 0;
  const std::size_t over = notes.size() - UsageRecorder::kMaxWaiting;
  notes.erase(notes.begin(), std::next(notes.begin(), static_cast<std::ptrdiff_t>(over)));
  return over;
}

}  // namespace

std::size_t UsageRecorder::Notes::take_older(Notes older) {
  tokens.merge(older.tokens);
  agent_tokens.merge(older.agent_tokens);
  for (auto& [id, before] : older.connections) {
    const auto [at, absent] = connections.try_emplace(id, before);
    if (absent) continue;
    Connection& connection = at->second;
    if (connection.first == 0) connection.presence = std::move(before.presence);  // only noted as gone
    if (before.first != 0) connection.first = before.first;
  }
  older.audit.insert(older.audit.end(), std::move_iterator(audit.begin()), std::move_iterator(audit.end()));
  audit = std::move(older.audit);
  return drop_oldest(tokens) + drop_oldest(agent_tokens) + drop_oldest(connections) + drop_oldest(audit);
}

UsageRecorder::UsageRecorder(Database& db, const Clock& clock, Logger log)
    : db_(db), clock_(clock), log_(std::move(log)), thread_([this] { run(); }) {}

UsageRecorder::~UsageRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (!flush()) log_.error("the database is not reachable: what waits for it is lost");
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
  if (presence.connection_id == 0) return;
  for (std::string* text :
       {&presence.version, &presence.commit_id, &presence.pod_namespace, &presence.pod_name}) {
    *text = storable(*text);
  }
  const Millis at = now();
  const std::lock_guard lock(mutex_);
  Connection& connection = notes_.connections[presence.connection_id];
  if (connection.first == 0) connection.first = at;
  connection.last = at;
  connection.presence = std::move(presence);
  changed_.notify_one();
}

void UsageRecorder::agent_gone(std::int64_t agent_id, std::int64_t connection_id) {
  const Millis at = now();
  const std::lock_guard lock(mutex_);
  Connection& connection = notes_.connections[connection_id];
  connection.presence.agent_id = agent_id;
  connection.last = at;
  connection.gone = true;
  changed_.notify_one();
}

void UsageRecorder::audit(AuditEvent event, std::string_view peer) {
  event.at = now();
  event.address = without_port(peer);
  // Notes of many are written together: one that the database refuses would take the others with it.
  event.action = storable(event.action);
  event.target = storable(event.target);
  log_.info("audit", {{"user_id", event.user_id},
                      {"user", event.username},
                      {"address", event.address},
                      {"action", event.action},
                      {"target", event.target}});
  const std::lock_guard lock(mutex_);
  notes_.audit.push_back(std::move(event));
  changed_.notify_one();
}

void UsageRecorder::write_connection(soci::session& sql, std::int64_t id, const Connection& connection) {
  const AgentPresence& presence = connection.presence;
  const auto agent = AgentTable(sql).by_id(presence.agent_id);
  if (!agent) return;  // deleted meanwhile
  AgentConnectionTable connections(sql);
  const bool came = connection.first != 0 && !connections.exists(id);
  const auto add = [&](const char* kind, const std::string& detail) {
    AgentEventTable(sql).add({.agent_id = agent->id,
                              .kind = kind,
                              .detail = detail,
                              .token_id = presence.token_id,
                              .recorded_at = connection.first});
  };
  if (came) {
    const std::string pod =
        presence.pod_name.empty() ? "" : " pod " + presence.pod_namespace + "/" + presence.pod_name;
    if (agent->last_contact_at == 0 || connection.first - agent->last_contact_at >= kLongAway) {
      add("agent_connected", presence.version + pod);
    }
    if (!agent->last_version.empty() && !presence.version.empty() &&
        agent->last_version != presence.version) {
      add("version_changed", agent->last_version + " to " + presence.version + pod);
    }
    departed_.erase(agent->id);
  }
  if (connection.gone) {
    connections.remove(id);
    if (connections.of_agent(agent->id, connection.last).empty()) departed_[agent->id] = connection.last;
  } else {
    connections.put({.id = id,
                     .agent_id = agent->id,
                     .version = presence.version,
                     .commit_id = presence.commit_id,
                     .pod_namespace = presence.pod_namespace,
                     .pod_name = presence.pod_name,
                     .connected_at = connection.first,
                     .last_seen_at = connection.last});
  }
  AgentTable(sql).contact(agent->id, connection.last, presence.version);
}

void UsageRecorder::write_departures(soci::session& sql, Millis now) {
  for (auto each = departed_.begin(); each != departed_.end();) {
    const auto [agent_id, at] = *each;
    if (now - at < kAway) {
      ++each;
      continue;
    }
    if (AgentTable(sql).by_id(agent_id) && AgentConnectionTable(sql).of_agent(agent_id, now).empty()) {
      AgentEventTable(sql).add({.agent_id = agent_id, .kind = "agent_disconnected", .recorded_at = at});
    }
    each = departed_.erase(each);
  }
}

// Few at a time, because everybody's writes wait meanwhile; a full share is followed by another at once.
void UsageRecorder::clear_audit(soci::session& sql, Millis now) {
  const Millis life = audit_life_;
  if (life == 0 || now - audit_cleared_ < kClearEvery) return;
  const std::int64_t removed = AuditTable(sql).remove_before(now - life, kClearShare);
  if (removed < kClearShare) audit_cleared_ = now;
}

void UsageRecorder::write(soci::session& sql, const Notes& notes) {
  for (const auto& [id, at] : notes.tokens) AccessTokenTable(sql).touch(id, at);
  for (const auto& [id, at] : notes.agent_tokens) AgentTokenTable(sql).touch(id, at);
  for (const auto& [id, connection] : notes.connections) write_connection(sql, id, connection);
  for (const AuditEvent& event : notes.audit) AuditTable(sql).add(event);
}

bool UsageRecorder::flush() {
  const std::lock_guard writing(writing_);
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    notes = std::exchange(notes_, {});
  }
  if (notes.empty() && departed_.empty()) return true;
  const auto before = departed_;
  const Status status = db_.write_quietly([&](soci::session& sql) {
    departed_ = before;  // the database may run this again
    write(sql, notes);
    write_departures(sql, now());
    clear_audit(sql, now());
  });
  const bool waited = std::exchange(waiting_, status.code() == Code::kUnavailable);
  if (status.ok()) {
    if (waited) log_.info("what waited for the database is recorded");
    return true;
  }
  departed_ = before;
  if (!waiting_) {
    log_.error("use and changes were not recorded",
               {{"error", status.to_string()}, {"changes", notes.audit.size()}});
    return true;
  }
  std::size_t lost = 0;
  {
    const std::lock_guard lock(mutex_);
    lost = notes_.take_older(std::move(notes));
  }
  if (!waited) log_.warn("use and changes wait for the database", {{"error", status.to_string()}});
  if (lost > 0) log_.error("too much waits for the database: the oldest is dropped", {{"notes", lost}});
  return false;
}

void UsageRecorder::run() {
  std::unique_lock lock(mutex_);
  bool reachable = true;
  while (!stopping_) {
    changed_.wait_for(lock, kLookAgain, [&] { return stopping_ || (reachable && !notes_.empty()); });
    if (!stopping_) changed_.wait_for(lock, kGather, [&] { return stopping_; });
    lock.unlock();
    reachable = flush();
    lock.lock();
  }
}

}  // namespace towline::control
