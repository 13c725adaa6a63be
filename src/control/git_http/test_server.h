#pragma once

#include <arpa/inet.h>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/control_plane.h"
#include "control/test_support.h"
#include "http/host.h"
#include "io/loop.h"

namespace towline::control::git_http {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Front final : http::RequestHandler {
  void on_request(http::RequestHead head, bool has_body,
                  std::unique_ptr<http::ServerExchange> exchange) override {
    auto& handler = head.path().starts_with("/api/") ? plane->api() : plane->git();
    handler.on_request(std::move(head), has_body, std::move(exchange));
  }
  ControlPlane* plane = nullptr;
};

/// A control plane behind a real listener, used by the git program.
class GitHttpTest : public ::testing::Test {
 protected:
  GitHttpTest() : GitHttpTest([](ControlPlaneOptions&) {}) {}
  explicit GitHttpTest(const std::function<void(ControlPlaneOptions&)>& change) {
    ControlPlaneOptions options;
    options.data_dir = folder.path() + "/data";
    options.external_url = "http://127.0.0.1";
    options.root_token = Secret("glpat-root-token-of-tests");
    options.clock = &clock;
    change(options);
    plane = ControlPlane::open(std::move(options)).value();
    front.plane = plane.get();
    subscription = plane->backend().subscribe([this](const Event& event) {
      const std::lock_guard lock(mutex);
      if (const auto* pushed = std::get_if<Pushed>(&event)) refs.push_back(pushed->ref);
    });
    host = http::Host::start(loops, {.host = "127.0.0.1"}, front, Logger()).value();
  }
  ~GitHttpTest() override { loops.join(); }

  std::string base(const std::string& user) {
    return "http://" + user + "@127.0.0.1:" + std::to_string(host->port());
  }
  std::string url(const std::string& project, const std::string& token = "glpat-root-token-of-tests") {
    return base("git:" + token) + "/" + project + ".git";
  }
  // Output of a shell command in the test's folder, with the exit status at its end.
  std::string sh(const std::string& command) {
    const std::string whole = "cd " + folder.path() +
                              " && export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_GLOBAL=/dev/null " +
                              "GIT_CONFIG_NOSYSTEM=1 HOME=" + folder.path() +
                              " GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=a " +
                              "GIT_COMMITTER_EMAIL=a@example.com && { " + command + "; } 2>&1; echo \"[$?]\"";
    FILE* pipe = popen(whole.c_str(), "r");
    std::string out;
    char buffer[4096];
    for (std::size_t n = 0; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
    pclose(pipe);
    return out;
  }
  // One API call by curl's likes: a raw HTTP/1.1 request on a connection of its own.
  std::string call(const std::string& method, const std::string& path, const std::string& body,
                   const std::string& token = "glpat-root-token-of-tests") {
    const int fd = connect();
    send(fd, method + " /api/v4" + path +
                 " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nPrivate-Token: " + token +
                 "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n\r\n" + body);
    return read_all(fd);
  }
  int connect() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(host->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static void send(int fd, const std::string& text) {
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  static std::string read_some(int fd) {
    char buffer[4096];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : "";
  }
  static std::string read_all(int fd) {
    std::string answer;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
      answer.append(buffer, static_cast<std::size_t>(n));
    ::close(fd);
    return answer;
  }
  static std::string chunk(const std::string& text) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return size + text + "\r\n";
  }
  /// A push's list with one new branch.
  static std::string list_of(const std::string& branch, const std::string& id) {
    const std::string line =
        std::string(40, '0') + " " + id + " refs/heads/" + branch + '\0' + "report-status";
    char size[5];
    std::snprintf(size, sizeof size, "%04zx", line.size() + 4);
    return size + line + "0000";
  }
  /// Objects of a push that needs none.
  static std::string empty_pack() {
    return std::string(
        "PACK\0\0\0\2\0\0\0\0"
        "\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e",
        32);
  }
  std::string head_of_main() { return sh("git -C work rev-parse HEAD").substr(0, 40); }
  /// A push that has sent its head and was told to go on.
  int begin_push(const std::string& token = "glpat-root-token-of-tests") {
    const int fd = connect();
    send(fd,
         "POST /root/demo.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
         "Authorization: Bearer " +
             token +
             "\r\n"
             "Content-Type: application/x-git-receive-pack-request\r\nTransfer-Encoding: chunked\r\n"
             "Connection: close\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_THAT(read_some(fd), StartsWith("HTTP/1.1 100"));
    return fd;
  }
  void make_project(const std::string& more = "") {
    ASSERT_THAT(call("POST", "/projects", R"({"name":"demo")" + more + "}"), HasSubstr(" 201 "));
  }
  std::string make_user(const std::string& name, int level, const std::string& scope) {
    const std::string made = call("POST", "/users",
                                  R"({"username":")" + name + R"(","name":"n","email":")" + name +
                                      R"(@example.com","password":"long enough"})");
    const std::string id = std::to_string(json(made).at("id").as_int64());
    if (level != 0) {
      call("POST", "/projects/root%2Fdemo/members",
           R"({"user_id":)" + id + R"(,"access_level":)" + std::to_string(level) + "}");
    }
    const auto token = json(call("POST", "/users/" + id + "/personal_access_tokens",
                                 R"({"name":"t","scopes":[")" + scope + "\"]}"));
    return std::string(token.at("token").as_string());
  }
  static boost::json::value json(const std::string& answer) {
    return boost::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  }
  // A clone with one commit, pushed.
  void push_something() {
    ASSERT_THAT(sh("git clone -q " + url("root/demo") +
                   " work && cd work && git checkout -q -B main && echo hi > a && "
                   "git add a && git commit -qm one && git push -q origin main"),
                HasSubstr("[0]"));
  }

  TempFolder folder;
  SystemClock clock;
  std::mutex mutex;
  std::vector<std::string> refs;
  io::LoopGroup loops{2, clock};
  std::unique_ptr<ControlPlane> plane;
  Front front;
  std::unique_ptr<Backend::Subscription> subscription;
  std::unique_ptr<http::Host> host;
};

}  // namespace towline::control::git_http
