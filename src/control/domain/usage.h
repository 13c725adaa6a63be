#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "control/backend.h"
#include "control/store/records.h"

namespace towline::control {

class Database;

/// Notes when tokens were used and agents were seen, and writes that down from a thread of its own, so that
/// no request waits for it: many notes in one transaction, and at most once a minute for each token. What was
/// noted in the last moments before a crash is lost; an orderly end writes it. Safe from any thread.
class UsageRecorder {
 public:
  UsageRecorder(Database& db, const Clock& clock, Logger log);
  ~UsageRecorder();

  void token_used(std::int64_t access_token_id);
  void agent_token_used(std::int64_t agent_token_id);
  void agent_seen(AgentPresence presence);

  /// Writes what has been noted so far and returns when it is in the database.
  void flush();

 private:
  struct Notes {
    std::map<std::int64_t, Millis> tokens;
    std::map<std::int64_t, Millis> agent_tokens;
    std::map<std::pair<std::int64_t, std::int64_t>, std::pair<AgentPresence, Millis>> pods;
    bool empty() const { return tokens.empty() && agent_tokens.empty() && pods.empty(); }
  };

  void run();
  void note(std::map<std::int64_t, Millis>& notes, std::map<std::int64_t, Millis>& written, std::int64_t id);
  Millis now() const;

  Database& db_;
  const Clock& clock_;
  Logger log_;
  std::mutex mutex_;
  std::mutex writing_;  // taken before mutex_
  std::condition_variable changed_;
  Notes notes_;
  std::map<std::int64_t, Millis> tokens_written_, agent_tokens_written_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace towline::control
