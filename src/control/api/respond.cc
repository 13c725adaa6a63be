#include "control/api/respond.h"

#include <array>
#include <chrono>
#include <cstdio>

#include <boost/json.hpp>

namespace towline::control::api {
namespace {

namespace json = boost::json;

int http_status(Code code) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kInvalidArgument:
    case Code::kFailedPrecondition:
    case Code::kOutOfRange:
      return 400;
    case Code::kUnauthenticated:
      return 401;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kUnimplemented:
      return 405;
    case Code::kAlreadyExists:
    case Code::kAborted:
      return 409;
    case Code::kResourceExhausted:
      return 413;
    case Code::kUnavailable:
    case Code::kCancelled:
    case Code::kDeadlineExceeded:
      return 503;
    default:
      return 500;
  }
}

// The query with another page number.
std::string page_url(Context& context, std::int64_t page, std::int64_t size) {
  std::string url = context.core.external_url + "/api/v4" + context.path + "?";
  std::string_view query = context.request.head.query();
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::string_view name = pair.substr(0, pair.find('='));
    if (!pair.empty() && name != "page" && name != "per_page") url.append(pair).append("&");
  }
  return url + "page=" + std::to_string(page) + "&per_page=" + std::to_string(size);
}

}  // namespace

http::Response json_response(int status, const json::value& value) {
  return {
      .status = status, .headers = {{"content-type", "application/json"}}, .body = json::serialize(value)};
}

http::Response list_response(Context& context, Page page, std::int64_t total, json::array items) {
  return list_response(context, page, total, page.offset() + page.size < total, std::move(items));
}

http::Response list_response(Context& context, Page page, std::optional<std::int64_t> total, bool more,
                             json::array items) {
  http::Response response = json_response(200, std::move(items));
  const auto add = [&](const char* name, std::int64_t value) {
    response.headers.add(name, std::to_string(value));
  };
  const std::int64_t last = std::max<std::int64_t>((total.value_or(0) + page.size - 1) / page.size, 1);
  add("x-page", page.number);
  add("x-per-page", page.size);
  if (total) {
    add("x-total", *total);
    add("x-total-pages", last);
  }
  response.headers.add("x-next-page", more ? std::to_string(page.number + 1) : "");
  response.headers.add("x-prev-page", page.number > 1 ? std::to_string(page.number - 1) : "");
  std::string link;
  const auto add_link = [&](std::int64_t number, const char* relation) {
    if (!link.empty()) link += ", ";
    link += "<" + page_url(context, number, page.size) + ">; rel=\"" + relation + "\"";
  };
  if (page.number > 1) add_link(page.number - 1, "prev");
  if (more) add_link(page.number + 1, "next");
  add_link(1, "first");
  if (total) add_link(last, "last");
  response.headers.add("link", link);
  return response;
}

http::Response no_content() { return {.status = 204}; }

http::Response error_response(const Status& status) {
  return json_response(http_status(status.code()), json::object{{"message", status.message()}});
}

json::value json_time(Millis time) {
  if (time == 0) return nullptr;
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(time)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return json::string(text.data());
}

json::value json_date(Millis time) {
  json::value full = json_time(time);
  if (full.is_string()) full.get_string().resize(10);
  return full;
}

std::optional<Millis> parse_date(std::string_view text) {
  using namespace std::chrono;
  int y = 0;
  unsigned m = 0;
  unsigned d = 0;
  char rest = 0;
  const std::string copy(text.substr(0, text.find('T')));  // a time of day is cut off
  if (copy.size() != 10 || std::sscanf(copy.c_str(), "%4d-%2u-%2u%c", &y, &m, &d, &rest) != 3)
    return std::nullopt;
  const year_month_day date{year(y), month(m), day(d)};
  if (!date.ok()) return std::nullopt;
  return duration_cast<milliseconds>(sys_days(date).time_since_epoch()).count();
}

json::value json_id(std::int64_t id) { return id == 0 ? json::value(nullptr) : json::value(id); }

}  // namespace towline::control::api
