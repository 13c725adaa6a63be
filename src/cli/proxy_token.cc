#include "cli/proxy_token.h"

#include <array>
#include <cstdio>
#include <optional>
#include <system_error>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "cli/files.h"

namespace towline::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto kMargin = 5min;  // what a token must be good for, for a command to begin with it
constexpr const char* kMidnight = "T00:00:00Z";

std::optional<ProxyToken> parse(const std::string& text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  ProxyToken token{Secret(field(value.get_object(), "token")), field(value.get_object(), "expires_at")};
  if (token.value.empty() || token.expires.empty()) return std::nullopt;
  return token;
}

std::string machine() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(" on ") + name.data() : "";
}

}  // namespace

std::string rfc3339(Clock::WallTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

std::string expiry_date(Clock::WallTime now) {
  // A cached token is replaced within the margin, so the new one must reach beyond it.
  return rfc3339(now + kMargin + 24h).substr(0, 10);
}

Result<std::filesystem::path> ProxyTokens::file() const {
  auto folder = environment_.cache_folder();
  if (!folder) return fail(folder.error());
  const Login& login = api_.login();
  // Named after the login, so that another user or server never gets it.
  const std::string name = sha256_hex(login.url + "\n" + login.token.reveal()).substr(0, 32);
  return *folder / ("k8s-proxy-" + name + ".json");
}

Result<bool> ProxyTokens::usable(const ProxyToken& token) {
  if (token.expires <= rfc3339(clock_.wall() + kMargin)) return false;
  Login as_itself = api_.login();
  as_itself.token = token.value;
  const auto self = ApiClient(std::move(as_itself)).get("/personal_access_tokens/self");
  if (self) return field(*self, "active") != "false";
  // Only a plain no counts; a server that is away says nothing of the token.
  if (self.error().code() == Code::kUnauthenticated) return false;
  if (self.error().code() == Code::kPermissionDenied || self.error().code() == Code::kNotFound) return true;
  return fail(self.error());
}

Result<ProxyToken> ProxyTokens::create() {
  const std::string date = expiry_date(clock_.wall());
  const auto made =
      api_.post("/user/personal_access_tokens",
                {{"name", "towline kubectl" + machine()}, {"scopes", {"k8s_proxy"}}, {"expires_at", date}});
  if (!made) return fail(made.error().with_prefix("cannot make a token for kubectl"));
  ProxyToken token{Secret(field(*made, "token")), field(*made, "expires_at")};
  if (token.value.empty())
    return fail(Code::kInternal, "the server has made a token for kubectl without telling it");
  if (token.expires.empty()) token.expires = date;
  if (token.expires.size() == date.size()) token.expires += kMidnight;
  return token;
}

Result<ProxyToken> ProxyTokens::get() {
  const auto path = file();
  if (!path) return fail(path.error());
  const auto lock = FileLock::wait(path->string() + ".lock");
  if (!lock) return fail(lock.error());
  const auto text = read_if_exists(*path);
  if (!text) return fail(text.error());
  if (const auto kept = *text ? parse(**text) : std::nullopt) {
    const auto good = usable(*kept);
    if (!good) return fail(good.error());
    if (*good) return *kept;
  }
  auto token = create();
  if (!token) return token;
  const json::object record{{"token", token->value.reveal()}, {"expires_at", token->expires}};
  if (Status status = write_atomically(*path, json::serialize(record) + "\n"); !status.ok())
    return fail(status);
  return token;
}

Status ProxyTokens::forget() {
  const auto path = file();
  if (!path) return path.error();
  const auto lock = FileLock::wait(path->string() + ".lock");
  if (!lock) return lock.error();
  const auto text = read_if_exists(*path);
  if (!text) return text.error();
  Status revoked;
  if (const auto kept = *text ? parse(**text) : std::nullopt) {
    Login as_itself = api_.login();
    as_itself.token = kept->value;
    revoked = ApiClient(std::move(as_itself)).remove("/personal_access_tokens/self");
    if (revoked.code() == Code::kUnauthenticated) revoked = {};
  }
  std::error_code ignored;
  std::filesystem::remove(*path, ignored);
  return revoked;
}

}  // namespace towline::cli
