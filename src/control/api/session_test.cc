#include <gmock/gmock.h>

#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class SessionTest : public PlaneTest {
 protected:
  struct LoggedIn {
    std::string cookie;
    std::string csrf;
  };
  http::Response log_in(const std::string& login, const std::string& password,
                        const std::string& peer = "192.0.2.1:1") {
    http::Request request{
        .head = {.method = "POST", .target = "/api/v4/session"},
        .body = boost::json::serialize(boost::json::object{{"login", login}, {"password", password}}),
        .peer = peer};
    request.head.headers.add("content-type", "application/json");
    return answer(request);
  }
  LoggedIn session_of(const std::string& login) {
    const auto response = log_in(login, "correct horse");
    EXPECT_EQ(response.status, 201) << response.body;
    const std::string set = header(response, "set-cookie");
    return {set.substr(0, set.find(';')), std::string(json(response).at("csrf_token").as_string())};
  }
  http::Response with(const std::string& method, const std::string& path, const LoggedIn& session,
                      std::string body = "", bool show_csrf = true) {
    http::Request request{.head = {.method = method, .target = "/api/v4" + path}, .body = std::move(body)};
    request.head.headers.add("cookie", "theme=dark; " + session.cookie);
    if (show_csrf) request.head.headers.add("x-csrf-token", session.csrf);
    if (!request.body.empty()) request.head.headers.add("content-type", "application/json");
    return answer(request);
  }
};

TEST_F(SessionTest, APasswordOpensASessionThatTheCookieCarries) {
  add_user("ada");
  const auto response = log_in("ADA@example.com", "correct horse");
  EXPECT_EQ(response.status, 201);
  EXPECT_THAT(header(response, "set-cookie"),
              AllOf(StartsWith("__Host-towline_session="), HasSubstr("; HttpOnly"), HasSubstr("; Secure"),
                    HasSubstr("; SameSite=Lax"), HasSubstr("; Path=/;")));
  EXPECT_EQ(json(response).at("user").at("username"), "ada");
  const LoggedIn session = session_of("ada");
  EXPECT_EQ(json(with("GET", "/user", session)).at("username"), "ada");
  EXPECT_EQ(json(with("GET", "/session", session)).at("csrf_token").as_string(), session.csrf);
  EXPECT_EQ(call("GET", "/session").status, 401);
}

TEST_F(SessionTest, AChangeNeedsTheCsrfToken) {
  add_user("ada");
  const LoggedIn session = session_of("ada");
  const std::string body = R"({"name":"p"})";
  EXPECT_EQ(with("POST", "/projects", session, body, false).status, 403);
  LoggedIn wrong = session;
  wrong.csrf = session_of("ada").csrf;
  EXPECT_EQ(with("POST", "/projects", wrong, body).status, 403);
  EXPECT_EQ(with("POST", "/projects", session, body).status, 201);
}

TEST_F(SessionTest, WrongPasswordsAllLookAlikeAndAreCounted) {
  add_user("ada");
  const std::string unknown = log_in("nobody", "correct horse").body;
  EXPECT_EQ(log_in("ada", "wrong").body, unknown);
  EXPECT_EQ(log_in("ada", "").status, 400);
  // From many addresses of one network: it has its limit with that name.
  int refused = 0;
  for (int i = 0; i < 25; ++i)
    refused += log_in("ada", "wrong", "198.51.100." + std::to_string(i) + ":1").status == 429;
  EXPECT_GE(refused, 5);
  const auto locked = log_in("ada", "correct horse", "198.51.100.99:1");
  EXPECT_EQ(locked.status, 429);
  EXPECT_THAT(header(locked, "retry-after"), Not("<none>"));
  EXPECT_EQ(log_in("bob", "wrong", "198.51.100.99:1").status, 401);
  clock.advance(std::chrono::minutes(10));
  EXPECT_EQ(log_in("ada", "correct horse", "198.51.100.99:1").status, 201);
}

TEST_F(SessionTest, NobodyShutsTheOwnerOutByGuessing) {
  add_user("ada");
  EXPECT_EQ(log_in("ada", "correct horse", "203.0.113.1:1").status, 201);
  int answered = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string peer = "198.51." + std::to_string(i % 50) + ".1:1";
    answered += log_in("ada", "wrong", peer).status == 401;
  }
  EXPECT_LE(answered, 50 * 2 + 60);  // two of each network once there have been many
  // Where she was before, however the rest of her network behaves, and where nobody has guessed.
  for (int i = 0; i < 25; ++i) log_in("ada", "wrong", "203.0.113.2:1");
  EXPECT_EQ(log_in("ada", "correct horse", "203.0.113.2:1").status, 429);
  EXPECT_EQ(log_in("ada", "correct horse", "203.0.113.1:1").status, 201);
  EXPECT_EQ(log_in("ada", "correct horse", "192.0.2.77:1").status, 201);
  EXPECT_EQ(log_in("ada", "correct horse", "[2001:db8::1]:1").status, 201);
}

TEST_F(SessionTest, ThePasswordIsChangedByASessionAndNotGuessedByIt) {
  const Person ada = add_user("ada");
  const LoggedIn session = session_of("ada");
  const std::string right = R"({"current_password":"correct horse","password":"battery staple"})";
  EXPECT_EQ(call("PUT", "/user/password", ada.token, right).status, 403);
  const std::string wrong = R"({"current_password":"wrong","password":"battery staple"})";
  int answered = 0;
  for (int i = 0; i < 30; ++i) answered += with("PUT", "/user/password", session, wrong).status == 401;
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(with("PUT", "/user/password", session, right).status, 429);
  EXPECT_EQ(log_in("ada", "correct horse").status, 201);
  clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(with("PUT", "/user/password", session, right).status, 204);
}

TEST_F(SessionTest, AnotherSitesPageCannotLogSomebodyIn) {
  add_user("ada");
  http::Request request{.head = {.method = "POST", .target = "/api/v4/session", .authority = "towline.test"},
                        .body = "login=ada&password=correct%20horse"};
  request.head.headers.add("content-type", "application/x-www-form-urlencoded");
  request.head.headers.add("origin", "https://evil.test");
  EXPECT_EQ(answer(request).status, 403);
  request.head.headers.set("origin", "null");
  EXPECT_EQ(answer(request).status, 403);
  request.head.headers.set("origin", "https://towline.test");
  EXPECT_EQ(answer(request).status, 201);
}

TEST_F(SessionTest, ACookieOfTheOtherNameIsNone) {
  add_user("ada");
  LoggedIn session = session_of("ada");
  session.cookie = session.cookie.substr(std::string("__Host-").size());
  EXPECT_EQ(with("GET", "/user", session).status, 401);
}

TEST_F(SessionTest, SessionsEnd) {
  const Person ada = add_user("ada");
  const LoggedIn session = session_of("ada");
  const LoggedIn other = session_of("ada");
  EXPECT_EQ(with("DELETE", "/session", session).status, 204);
  EXPECT_EQ(with("GET", "/user", session).status, 401);
  EXPECT_EQ(
      with("PUT", "/user/password", other, R"({"current_password":"wrong","password":"battery staple"})")
          .status,
      401);
  EXPECT_EQ(with("PUT", "/user/password", other,
                 R"({"current_password":"correct horse","password":"battery staple"})")
                .status,
            204);
  EXPECT_EQ(with("GET", "/user", other).status, 401);
  EXPECT_EQ(log_in("ada", "correct horse").status, 401);
  EXPECT_EQ(log_in("ada", "battery staple").status, 201);
  expect(201, "POST", "/users/" + std::to_string(ada.id) + "/block", root.token);
  EXPECT_EQ(log_in("ada", "battery staple").status, 401);
}

TEST_F(SessionTest, ABlockedPersonsSessionsAreOverForGood) {
  const Person ada = add_user("ada");
  const LoggedIn session = session_of("ada");
  const std::string user = "/users/" + std::to_string(ada.id);
  expect(201, "POST", user + "/block", root.token);
  expect(201, "POST", user + "/unblock", root.token);
  EXPECT_EQ(with("GET", "/user", session).status, 401);
  session_of("ada");
}

TEST_F(SessionTest, SessionsExpire) {
  add_user("ada");
  const LoggedIn session = session_of("ada");
  clock.advance(std::chrono::hours(24 * 14));
  EXPECT_EQ(with("GET", "/user", session).status, 401);
}

TEST_F(SessionTest, NothingOfAPasswordIsLogged) {
  add_user("ada");
  session_of("ada");
  log_in("ada", "correct horse battery");
  for (const std::string& line : lines) EXPECT_THAT(line, Not(HasSubstr("correct horse")));
}

TEST_F(SessionTest, ChangesAreAudited) {
  const Person ada = add_user("ada");
  make_project("p", ada);
  session_of("ada");
  expect(403, "GET", "/audit_events", ada.token);
  const auto listed = expect(200, "GET", "/audit_events", root.token).as_array();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].at("action"), "POST /session");
  EXPECT_EQ(listed[0].at("author_name"), "ada");
  EXPECT_EQ(listed[1].at("action"), "POST /projects");
  EXPECT_EQ(listed[1].at("target"), "/api/v4/projects");
  EXPECT_EQ(listed[1].at("ip_address"), "192.0.2.1");
  EXPECT_THAT(lines, ::testing::Contains(AllOf(HasSubstr("\"audit\""), HasSubstr("POST /projects"))));
}

TEST_F(SessionTest, NamespacesAreThoseInWhichOneMayMakeProjects) {
  const Person ada = add_user("ada");
  const auto group =
      expect(201, "POST", "/groups", root.token, R"({"name":"g","path":"g"})").at("id").as_int64();
  const std::string member = R"({"user_id":)" + std::to_string(ada.id);
  expect(201, "POST", "/groups/g/members", root.token, member + R"(,"access_level":30})");
  EXPECT_EQ(expect(200, "GET", "/namespaces", ada.token).as_array().size(), 1U);
  expect(200, "PUT", "/groups/g/members/" + std::to_string(ada.id), root.token, R"({"access_level":40})");
  const auto mine = expect(200, "GET", "/namespaces", ada.token).as_array();
  ASSERT_EQ(mine.size(), 2U);
  EXPECT_EQ(mine[0].at("full_path"), "ada");
  EXPECT_EQ(mine[1].at("id"), group);
}

}  // namespace
}  // namespace towline::control
