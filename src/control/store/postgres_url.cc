#include "control/store/postgres_url.h"

#include <array>
#include <cctype>
#include <libpq-fe.h>
#include <map>
#include <memory>
#include <string_view>

namespace towline::control {
namespace {

using Keywords = std::map<std::string, std::string>;

// A server that vanishes without a word is noticed within half a minute, not after hours.
constexpr std::array<std::pair<const char*, const char*>, 6> kDefaults = {{
    {"connect_timeout", "5"},
    {"keepalives_idle", "10"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "20000"},
    {"fallback_application_name", "towline"},
}};

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.') {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

std::string describe(const Keywords& keywords) {
  const auto get = [&](const char* name, const char* otherwise) {
    const auto found = keywords.find(name);
    return found == keywords.end() ? std::string(otherwise) : found->second;
  };
  const std::string user = get("user", "");
  const std::string host = get("host", get("hostaddr", "localhost").c_str());
  return "PostgreSQL database " + get("dbname", user.c_str()) + " at " + host + ":" + get("port", "5432");
}

}  // namespace

Result<PostgresAddress> parse_postgres_url(const Secret& url) {
  char* fault = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(url.reveal().c_str(), &fault));
  PQfreemem(fault);
  if (!options) {
    return fail(Code::kInvalidArgument,
                "the database URL is malformed: it must be postgresql://user:password@host:port/database, "
                "with special characters percent-encoded, or keywords as in \"host=... dbname=...\"");
  }
  Keywords keywords;
  for (const PQconninfoOption* each = options.get(); each->keyword != nullptr; ++each) {
    if (each->val != nullptr) keywords[each->keyword] = each->val;
  }
  for (const auto& [name, value] : kDefaults) keywords.try_emplace(name, value);
  keywords["client_encoding"] = "UTF8";
  std::string text;
  for (const auto& [name, value] : keywords) {
    text += (text.empty() ? "postgresql:///?" : "&") + name + "=" + percent_encode(value);
  }
  return PostgresAddress{Secret(std::move(text)), describe(keywords)};
}

}  // namespace towline::control
