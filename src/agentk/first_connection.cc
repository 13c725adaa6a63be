#include "agentk/first_connection.h"

#include <utility>

namespace towline::agentk {

FirstConnection::FirstConnection(io::Loop& loop, doctor::Doctor& doctor, std::chrono::seconds limit,
                                 GiveUp give_up, Logger log)
    : doctor_(doctor),
      limit_(limit),
      give_up_(std::move(give_up)),
      log_(std::move(log)),
      timer_(loop, [this] { time_is_up(); }) {
  if (limit_.count() > 0) timer_.start(limit_);
}

void FirstConnection::failed() {
  if (succeeded_ || std::exchange(examined_, true)) return;
  doctor_.examine([this](const doctor::Report& report) {
    if (!succeeded_) say(report);
  });
}

void FirstConnection::succeeded() {
  succeeded_ = true;
  timer_.cancel();
}

void FirstConnection::time_is_up() {
  doctor_.examine([this](const doctor::Report& report) {
    if (succeeded_) return;
    const doctor::Check* const failure = report.failure();
    if (failure == nullptr) return timer_.start(limit_);  // what was wrong is right now
    say(report);
    give_up_("not connected to the server within " + std::to_string(limit_.count()) + " s: " + failure->name +
             ": " + failure->detail + (failure->remedy.empty() ? "" : ". To do: " + failure->remedy));
  });
}

void FirstConnection::say(const doctor::Report& report) const {
  for (const doctor::Check& each : report.checks) {
    if (each.verdict == doctor::Verdict::kSkipped) continue;
    const LogLevel level = each.verdict == doctor::Verdict::kOk        ? LogLevel::kInfo
                           : each.verdict == doctor::Verdict::kWarning ? LogLevel::kWarn
                                                                       : LogLevel::kError;
    log_.log(level, "doctor",
             {{"check", each.name},
              {"verdict", doctor::verdict_name(each.verdict)},
              {"detail", each.detail},
              {"remedy", each.remedy}});
  }
}

}  // namespace towline::agentk
