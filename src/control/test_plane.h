#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/agent_doctor.h"
#include "control/api/api.h"
#include "control/domain/accounts.h"
#include "control/domain/configurations.h"
#include "control/domain/core.h"
#include "control/domain/events.h"
#include "control/domain/usage.h"
#include "control/domain/vault.h"
#include "control/git/repository_store.h"
#include "control/store/database.h"
#include "control/test_database.h"
#include "control/test_support.h"
#include "io/dial.h"
#include "io/loop.h"

namespace towline::control {

/// An agent's answer, without an agent.
class FakeDoctor final : public AgentDoctor {
 public:
  std::unique_ptr<io::Operation> examine(io::Loop& loop, std::int64_t agent_id, Examined done) override {
    asked = agent_id;
    loop.post([this, done = std::move(done)]() mutable { done(answer); });
    return nullptr;
  }
  std::int64_t asked = 0;
  Result<std::string> answer = R"({"healthy":true,"checks":[]})";
};

/// A control plane without network and threads: handlers are called directly, time stands still, and the user
/// "root" is an administrator.
class PlaneTest : public ::testing::Test {
 protected:
  PlaneTest()
      : db(Database::open(database.options()).value()),
        repositories(folder.path() + "/repositories"),
        usage(*db, clock, log),
        vault(Vault::open(folder.path() + "/secret.key").value()),
        configurations(core),
        core{*db,
             repositories,
             events,
             usage,
             configurations,
             vault,
             clock,
             log,
             "17.0.0",
             "https://towline.test",
             "wss://towline.test/-/kubernetes-agent/",
             "https://towline.test/-/kubernetes-agent/k8s-proxy/"},
        api(core) {
    clock.advance(std::chrono::hours(24 * 20000));  // October 2024
    root = add_user("root", true);
    core.agent_doctor = &doctor;
  }

  struct Person {
    std::int64_t id = 0;
    std::string token;  // scope api
  };

  Person add_user(const std::string& name, bool admin = false) {
    auto user = Accounts(core).create_user({.username = name,
                                            .name = name,
                                            .email = name + "@example.com",
                                            .password = Secret("correct horse"),
                                            .admin = admin});
    EXPECT_TRUE(user.has_value());
    return {user->id, add_token(user->id, {"api"})};
  }
  std::string add_token(std::int64_t user_id, std::vector<std::string> scopes, Millis expires_at = 0) {
    auto token = Accounts(core).create_token(
        {.user_id = user_id, .name = "t", .scopes = std::move(scopes), .expires_at = expires_at});
    EXPECT_TRUE(token.has_value());
    return token->value.reveal();
  }

  http::Response call(const std::string& method, const std::string& path, const std::string& token = "",
                      std::string body = "", const std::string& type = "application/json") {
    http::Request request{.head = {.method = method, .target = "/api/v4" + path},
                          .body = std::move(body),
                          .peer = "192.0.2.1:1"};
    if (!token.empty()) request.head.headers.add("private-token", token);
    if (!request.body.empty()) request.head.headers.add("content-type", type);
    return answer(request);
  }
  /// What a client gets, be it now or later.
  http::Response answer(const http::Request& request) {
    http::Reply reply = api.answer(request);
    if (auto* response = std::get_if<http::Response>(&reply)) return std::move(*response);
    std::optional<http::Response> later;
    const auto work = std::get<http::Later>(reply)(loop, [&](http::Response response) { later = response; });
    EXPECT_FALSE(later) << "from inside";
    while (!later && loop.poll() > 0) {
    }
    return later.value_or(http::Response{.status = 0});
  }
  static boost::json::value json(const http::Response& response) { return boost::json::parse(response.body); }
  static std::string header(const http::Response& response, std::string_view name) {
    return std::string(response.headers.get(name).value_or("<none>"));
  }
  static std::string message(const http::Response& response) {
    return std::string(json(response).at("message").as_string());
  }
  /// Calls and expects a status; gives the JSON of the answer, null for none.
  boost::json::value expect(int status, const std::string& method, const std::string& path,
                            const std::string& token = "", std::string body = "") {
    const auto response = call(method, path, token, std::move(body));
    EXPECT_EQ(response.status, status) << method << " " << path << ": " << response.body;
    return response.body.empty() ? boost::json::value() : json(response);
  }
  std::int64_t make_project(const std::string& name, const Person& owner, const std::string& more = "") {
    return expect(201, "POST", "/projects", owner.token, R"({"name":")" + name + "\"" + more + "}")
        .at("id")
        .as_int64();
  }
  void put_file(const std::string& project, const std::string& path, const std::string& content,
                const std::string& token) {
    const boost::json::object body{{"branch", "main"}, {"commit_message", "m"}, {"content", content}};
    const std::string target = "/projects/" + project + "/repository/files/" + path;
    const bool exists = call("HEAD", target, token).status == 200;
    const auto response = call(exists ? "PUT" : "POST", target, token, boost::json::serialize(body));
    EXPECT_EQ(response.status, exists ? 200 : 201) << response.body;
  }

  TempFolder folder;
  TestDatabase database;
  FakeClock clock;
  io::Loop loop{clock};
  std::vector<std::string> lines;
  Logger log = Logger::to_vector(&lines);
  std::unique_ptr<Database> db;
  git::RepositoryStore repositories;
  EventHub events;
  UsageRecorder usage;
  Vault vault;
  Configurations configurations;
  Core core;
  FakeDoctor doctor;
  api::Api api;
  Person root;
};

}  // namespace towline::control
