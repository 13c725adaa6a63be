#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace towline::doctor {

enum class Verdict { kOk, kWarning, kFailed, kSkipped };

/// "ok", "warning", "failed" or "skipped".
std::string_view verdict_name(Verdict verdict);

/// One thing that was looked at. Texts are for people and hold no secrets.
struct Check {
  std::string name;  // "dns"
  Verdict verdict = Verdict::kOk;
  std::string detail;  // what was found
  std::string remedy;  // what to change; empty: nothing

  friend bool operator==(const Check&, const Check&) = default;
};

/// Checks in the order in which a connection depends on them.
struct Report {
  std::string version;  // of the agent
  std::string pod_namespace, pod_name;
  std::vector<Check> checks;

  /// The first check that failed; null when all is well.
  const Check* failure() const;
};

/// Lines for a terminal.
std::string to_text(const Report& report);
/// {"version":...,"pod_name":...,"checks":[{"name":...,"verdict":...,"detail":...,"remedy":...}]}
std::string to_json(const Report& report);

/// ExamineResponse of doctor.proto.
std::string to_message(const Report& report);
Result<Report> parse_report(const std::string& message);

}  // namespace towline::doctor
