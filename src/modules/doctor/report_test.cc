#include "modules/doctor/report.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include "proto/doctor.pb.h"

namespace towline::doctor {
namespace {

Report example() {
  return {.version = "v1",
          .pod_namespace = "ns",
          .pod_name = "pod",
          .checks = {{"dns", Verdict::kOk, "kas is 192.0.2.1", ""},
                     {"tcp", Verdict::kFailed, "Connection refused", "check the port"},
                     {"tls", Verdict::kSkipped, "it comes after what failed", ""}}};
}

TEST(ReportTest, SurvivesTheWire) {
  const Result<Report> report = parse_report(to_message(example()));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->version, "v1");
  EXPECT_EQ(report->pod_name, "pod");
  EXPECT_EQ(report->checks, example().checks);
}

TEST(ReportTest, TextPutsTheRemedyBelowItsCheck) {
  EXPECT_EQ(to_text(example()),
            "ok       dns          kas is 192.0.2.1\n"
            "failed   tcp          Connection refused\n"
            "                      To do: check the port\n"
            "skipped  tls          it comes after what failed\n");
}

TEST(ReportTest, JsonSaysWhetherAllIsWell) {
  Report report = example();
  EXPECT_FALSE(boost::json::parse(to_json(report)).at("healthy").as_bool());
  EXPECT_EQ(report.failure()->name, "tcp");
  report.checks.erase(report.checks.begin() + 1);
  const auto json = boost::json::parse(to_json(report));
  EXPECT_TRUE(json.at("healthy").as_bool());
  EXPECT_EQ(json.at("checks").at(1).at("verdict"), "skipped");
}

TEST(ReportTest, WhatAnAgentAnswersIsBounded) {
  EXPECT_FALSE(parse_report("no message"));
  rpc::ExamineResponse message;
  message.add_checks()->set_detail(std::string(100'000, 'x'));
  message.mutable_checks(0)->set_verdict(static_cast<rpc::Verdict>(77));
  auto report = parse_report(message.SerializeAsString());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->checks[0].detail.size(), 4096U);
  EXPECT_EQ(report->checks[0].verdict, Verdict::kFailed);
  for (int i = 0; i < 100; ++i) message.add_checks();
  EXPECT_FALSE(parse_report(message.SerializeAsString()));
}

}  // namespace
}  // namespace towline::doctor
