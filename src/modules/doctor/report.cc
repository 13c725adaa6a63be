#include "modules/doctor/report.h"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "proto/doctor.pb.h"

namespace towline::doctor {
namespace {

namespace json = boost::json;

/// Limit: checks in an agent's report; over it the report is refused.
constexpr int kMaxChecks = 64;
/// Limit: bytes of what a check of an agent's report found, and of its remedy; over it the rest is left out.
constexpr std::size_t kMaxText = 4096;
/// Limit: bytes of a name in an agent's report (version, pod, namespace, check); over it the rest is left
/// out.
constexpr std::size_t kMaxName = 255;

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  out.resize(std::max(width, out.size() + 1), ' ');
  return out;
}

Verdict verdict_of(rpc::Verdict verdict) {
  return verdict >= rpc::ok && verdict <= rpc::skipped ? static_cast<Verdict>(verdict) : Verdict::kFailed;
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  static constexpr std::string_view kNames[] = {"ok", "warning", "failed", "skipped"};
  return kNames[static_cast<int>(verdict)];
}

const Check* Report::failure() const {
  const auto found = std::find_if(checks.begin(), checks.end(),
                                  [](const Check& each) { return each.verdict == Verdict::kFailed; });
  return found == checks.end() ? nullptr : &*found;
}

std::string to_text(const Report& report) {
  constexpr std::size_t kVerdict = 9;
  constexpr std::size_t kName = 13;
  std::string text;
  for (const Check& each : report.checks) {
    text += padded(verdict_name(each.verdict), kVerdict) + padded(each.name, kName) + each.detail + "\n";
    if (!each.remedy.empty()) text += std::string(kVerdict + kName, ' ') + "To do: " + each.remedy + "\n";
  }
  return text;
}

std::string to_json(const Report& report) {
  json::array checks;
  for (const Check& each : report.checks) {
    checks.emplace_back(json::object{{"name", each.name},
                                     {"verdict", verdict_name(each.verdict)},
                                     {"detail", each.detail},
                                     {"remedy", each.remedy}});
  }
  return json::serialize(json::object{{"version", report.version},
                                      {"pod_namespace", report.pod_namespace},
                                      {"pod_name", report.pod_name},
                                      {"healthy", report.failure() == nullptr},
                                      {"checks", std::move(checks)}});
}

std::string to_message(const Report& report) {
  rpc::ExamineResponse message;
  message.mutable_agent_meta()->set_version(report.version);
  message.mutable_agent_meta()->set_pod_namespace(report.pod_namespace);
  message.mutable_agent_meta()->set_pod_name(report.pod_name);
  for (const Check& each : report.checks) {
    rpc::Check& check = *message.add_checks();
    check.set_name(each.name);
    check.set_verdict(static_cast<rpc::Verdict>(each.verdict));
    check.set_detail(each.detail);
    check.set_remedy(each.remedy);
  }
  return message.SerializeAsString();
}

Result<Report> parse_report(const std::string& message) {
  rpc::ExamineResponse parsed;
  if (!parsed.ParseFromString(message) || parsed.checks_size() > kMaxChecks) {
    return fail(Code::kInternal, "the agent's answer is not a report");
  }
  Report report{.version = printable(parsed.agent_meta().version(), kMaxName),
                .pod_namespace = printable(parsed.agent_meta().pod_namespace(), kMaxName),
                .pod_name = printable(parsed.agent_meta().pod_name(), kMaxName),
                .checks = {}};
  for (const rpc::Check& each : parsed.checks()) {
    report.checks.push_back({.name = printable(each.name(), kMaxName),
                             .verdict = verdict_of(each.verdict()),
                             .detail = printable(each.detail(), kMaxText),
                             .remedy = printable(each.remedy(), kMaxText)});
  }
  return report;
}

}  // namespace towline::doctor
