#include "control/api/params.h"

#include <algorithm>

#include <boost/json.hpp>

#include "base/decimal.h"
#include "base/encoding.h"
#include "base/text.h"
#include "control/utf8.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

// One answer lists no more, however much is asked for.
constexpr std::int64_t kMaxPerPage = 100;
// Deeper pages than this are a crawler's; the offset stays far from overflow.
constexpr std::int64_t kMaxPage = 1'000'000;

/// Limit: values in the query or the body of one API request; over it the answer is 400. Each costs many
/// times its bytes once it is parsed.
constexpr std::size_t kMaxValues = 100'000;

Status bad(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

// At most as many values as JSON of this text can hold: each but the first stands behind a comma or colon.
std::size_t most_values(std::string_view text) {
  std::size_t count = 1;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (!quoted && (text[i] == ',' || text[i] == ':'))
      ++count;
  }
  return count;
}

Status too_many_values() {
  return bad("the request has more than " + std::to_string(kMaxValues) + " values");
}

// a=1&b[]=2&b[]=3
Status add_form(json::object& values, std::string_view form) {
  if (static_cast<std::size_t>(std::count(form.begin(), form.end(), '&')) >= kMaxValues)
    return too_many_values();
  while (!form.empty()) {
    const std::string_view pair = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(form.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (!name || !value) return bad("the query or form is not well percent-encoded");
    if (name->ends_with("[]")) {
      json::value& list = values[name->substr(0, name->size() - 2)];
      if (!list.is_array()) list.emplace_array();
      list.get_array().emplace_back(json::string(*value));
    } else {
      values[*name] = json::string(*value);
    }
  }
  return {};
}

Status add_json(json::object& values, std::string_view text) {
  if (most_values(text) > kMaxValues) return too_many_values();
  json::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error) return bad("the body is not valid JSON: " + error.message());
  if (!parsed.is_object()) return bad("the body must be a JSON object");
  for (const auto& entry : parsed.get_object()) values[entry.key()] = entry.value();
  return {};
}

bool is_type(std::string_view content_type, std::string_view wanted) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return http::equals_ignoring_case(type, wanted);
}

}  // namespace

Result<Params> Params::parse(const http::Request& request) {
  Params params;
  if (Status status = add_form(params.values_, request.head.query()); !status.ok()) return fail(status);
  if (request.body.empty()) return params;
  const std::string_view type = request.head.headers.get("content-type").value_or("");
  Status status;
  if (is_type(type, "application/x-www-form-urlencoded")) {
    // curl sends JSON under this name unless it is told otherwise.
    const bool json_after_all = request.body.find_first_not_of(" \t\r\n") == request.body.find('{');
    status = json_after_all && request.body.find('{') != std::string::npos
                 ? add_json(params.values_, request.body)
                 : add_form(params.values_, request.body);
  } else if (type.empty() || is_type(type, "application/json")) {
    status = add_json(params.values_, request.body);
  } else {
    status = bad("the body must be application/json or application/x-www-form-urlencoded");
  }
  if (!status.ok()) return fail(status);
  return params;
}

void Params::refuse(std::string message) {
  if (problem_.ok()) problem_ = bad(std::move(message));
}

const json::value* Params::find(std::string_view name) const {
  const json::value* value = values_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool Params::has(std::string_view name) const { return find(name) != nullptr; }

std::optional<std::string> Params::bytes(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = value->if_string()) return std::string(text->data(), text->size());
  if (value->is_number() || value->is_bool()) return json::serialize(*value);
  refuse(std::string(name) + " is invalid");
  return std::nullopt;
}

std::optional<std::string> Params::as_text(std::string_view name) {
  auto text = bytes(name);
  if (text && (!is_utf8(*text) || text->find('\0') != std::string::npos)) {
    refuse(std::string(name) + " is not valid text");
    return std::nullopt;
  }
  return text;
}

std::string Params::text(std::string_view name) {
  auto text = as_text(name);
  if (!text) refuse(std::string(name) + " is missing");
  if (text && text->empty()) refuse(std::string(name) + " is empty");
  return text.value_or("");
}

std::string Params::text_or(std::string_view name, std::string otherwise) {
  auto text = as_text(name);
  return text ? std::move(*text) : std::move(otherwise);
}

std::int64_t Params::number(std::string_view name) {
  if (!has(name)) refuse(std::string(name) + " is missing");
  return number_or(name, 0);
}

std::int64_t Params::number_or(std::string_view name, std::int64_t otherwise) {
  const auto text = as_text(name);
  if (!text || text->empty()) return otherwise;
  if (*text == "0") return 0;
  const bool negative = text->front() == '-';
  if (const auto number = parse_id(std::string_view(*text).substr(negative ? 1 : 0))) {
    return negative ? -*number : *number;
  }
  refuse(std::string(name) + " is invalid: it must be a number");
  return otherwise;
}

bool Params::flag(std::string_view name, bool otherwise) {
  auto text = as_text(name);
  if (!text || text->empty()) return otherwise;
  *text = lower_case(*text);  // python-gitlab says "False"
  if (*text == "true" || *text == "1" || *text == "t" || *text == "yes") return true;
  if (*text == "false" || *text == "0" || *text == "f" || *text == "no") return false;
  refuse(std::string(name) + " is invalid: it must be true or false");
  return otherwise;
}

std::vector<std::string> Params::texts(std::string_view name) {
  std::vector<std::string> all;
  const json::value* value = find(name);
  if (value == nullptr) return all;
  if (!value->is_array()) return {text_or(name, "")};
  for (const json::value& each : value->get_array()) {
    const auto* text = each.if_string();
    if (text == nullptr || !is_utf8(*text)) {
      refuse(std::string(name) + " is invalid: it must be a list of texts");
      return all;
    }
    all.emplace_back(text->data(), text->size());
  }
  return all;
}

std::vector<Params> Params::objects(std::string_view name) {
  std::vector<Params> all;
  const json::value* value = find(name);
  if (value == nullptr) return refuse(std::string(name) + " is missing"), all;
  if (!value->is_array()) return refuse(std::string(name) + " is invalid: it must be a list"), all;
  for (const json::value& each : value->get_array()) {
    if (!each.is_object())
      return refuse(std::string(name) + " is invalid: it must be a list of objects"), all;
    all.emplace_back().values_ = each.get_object();
  }
  return all;
}

Page Params::page() {
  const Page page{.number = number_or("page", 1), .size = number_or("per_page", 20)};
  if (page.number < 1 || page.number > kMaxPage) refuse("page does not have a valid value");
  if (page.size < 1) refuse("per_page does not have a valid value");
  return {page.number, std::min(page.size, kMaxPerPage)};
}

}  // namespace towline::control::api
