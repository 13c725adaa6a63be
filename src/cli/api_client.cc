#include "cli/api_client.h"

#include <chrono>
#include <curl/curl.h>
#include <thread>

#include <boost/json.hpp>

#include "base/backoff.h"
#include "base/encoding.h"
#include "cli/curl_error.h"

namespace towline::cli {
namespace {

namespace json = boost::json;

constexpr long kConnectSeconds = 10;
constexpr long kTotalSeconds = 60;
/// Limit: bytes of one answer that towline reads; the command fails. A page of a list has at most a hundred
/// records.
constexpr std::size_t kMaxBody = 64UL * 1024 * 1024;
/// Limit: attempts of towline at one request; the command fails with the last one's reason.
constexpr int kAttempts = 3;
/// Limit: pages of one list that towline reads; the command fails.
constexpr int kMaxPages = 1000;

std::size_t collect(char* data, std::size_t size, std::size_t count, void* into) {
  std::string& body = *static_cast<std::string*>(into);
  if (body.size() + size * count > kMaxBody) return 0;
  body.append(data, size * count);
  return size * count;
}

struct HeaderList {
  ~HeaderList() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
  curl_slist* list = nullptr;
};

void flatten(const json::value& value, std::string& out) {
  const auto separate = [&out] {
    if (!out.empty() && !out.ends_with(' ')) out += ", ";
  };
  if (const json::string* text = value.if_string()) {
    separate();
    out.append(text->data(), text->size());
  } else if (const json::array* items = value.if_array()) {
    for (const json::value& each : *items) flatten(each, out);
  } else if (const json::object* fields = value.if_object()) {
    for (const auto& each : *fields) {
      separate();
      out.append(each.key().data(), each.key().size()).append(" ");
      flatten(each.value(), out);
    }
  }
}

Code code_of(long status) {
  switch (status) {
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 409:
      return Code::kAlreadyExists;
    case 502:
    case 503:
    case 504:
      return Code::kUnavailable;
    default:
      return Code::kFailedPrecondition;
  }
}

Status refusal(long status, const std::string& body) {
  std::string text = error_text(body);
  if (text.empty()) text = "HTTP status " + std::to_string(status);
  const Code code = code_of(status);
  if (code == Code::kUnauthenticated)
    text += ": the token is wrong, expired or revoked; log in again with `towline login`";
  if (code == Code::kPermissionDenied)
    text +=
        ": the role or the token's scopes are not enough (agents are changed by maintainers with the scope "
        "`api`)";
  if (code == Code::kNotFound) text += ": it is not there, or not for this user to see";
  return Status(code, std::move(text)).with_prefix("the server refuses");
}

Status not_json(const std::string& url) {
  return {Code::kInternal, url + " does not answer like the API: is --url the server's address?"};
}

}  // namespace

struct ApiClient::Connection {
  // libcurl wants to be set up before it is used and by one thread; this program has only one.
  Connection() : curl((curl_global_init(CURL_GLOBAL_DEFAULT), curl_easy_init())) {}
  ~Connection() { curl_easy_cleanup(curl); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  CURL* curl;
};

struct ApiClient::Answer {
  long status = 0;
  std::string body;
  std::string next_page;
};

ApiClient::ApiClient(Login login) : login_(std::move(login)), connection_(std::make_unique<Connection>()) {}
ApiClient::~ApiClient() = default;

Result<ApiClient::Answer> ApiClient::call(const char* method, const std::string& path,
                                          const std::string& body) {
  CURL* const curl = connection_->curl;
  curl_easy_reset(curl);  // options only: the connection stays open
  Answer answer;
  char problem[CURL_ERROR_SIZE] = "";
  HeaderList headers;
  headers.add("PRIVATE-TOKEN: " + login_.token.reveal());
  headers.add("Accept: application/json");
  headers.add("Content-Type: application/json");
  const std::string url = login_.url + "/api/v4" + path;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "towline/" TOWLINE_VERSION);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, kTotalSeconds);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  if (!login_.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, login_.ca_file.c_str());
  if (!body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) {
    return fail(curl_error(code, connection_->curl, problem, login_));
  }
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_header* next = nullptr;
  if (curl_easy_header(curl, "x-next-page", 0, CURLH_HEADER, -1, &next) == CURLHE_OK)
    answer.next_page = next->value;
  if (answer.status >= 300 && answer.status < 400) return fail(not_json(url));
  if (answer.status >= 400) return fail(refusal(answer.status, answer.body));
  return answer;
}

Result<ApiClient::Answer> ApiClient::call_patiently(const std::string& path) {
  using namespace std::chrono_literals;
  const auto random = [] { return static_cast<double>(random_id() % 1000) / 1000; };
  Backoff backoff({.initial = 200ms, .maximum = 2000ms}, random);
  for (int attempt = 1;; ++attempt) {
    auto answer = call("GET", path, "");
    if (answer || answer.error().code() != Code::kUnavailable || attempt == kAttempts) return answer;
    std::this_thread::sleep_for(backoff.next());
  }
}

Result<json::object> ApiClient::get(const std::string& path) {
  auto answer = call_patiently(path);
  if (!answer) return fail(answer.error());
  json::error_code error;
  json::value value = json::parse(answer->body, error);
  if (error || !value.is_object()) return fail(not_json(login_.url));
  return std::move(value.get_object());
}

Result<json::array> ApiClient::list(const std::string& path) {
  const std::string start = path + (path.find('?') == std::string::npos ? "?" : "&") + "per_page=100&page=";
  json::array all;
  std::string page = "1";
  for (int i = 0; i < kMaxPages && !page.empty(); ++i) {
    auto answer = call_patiently(start + page);
    if (!answer) return fail(answer.error());
    json::error_code error;
    const json::value value = json::parse(answer->body, error);
    if (error || !value.is_array()) return fail(not_json(login_.url));
    all.insert(all.end(), value.get_array().begin(), value.get_array().end());
    // Empty on the last page, of which libcurl may leave the line's end.
    page = answer->next_page.substr(0, answer->next_page.find_first_not_of("0123456789"));
  }
  if (!page.empty()) {
    return fail(Code::kOutOfRange,
                "the server's list has more than " + std::to_string(kMaxPages) + " pages: ask for less");
  }
  return all;
}

Result<json::object> ApiClient::post(const std::string& path, const json::object& body) {
  auto answer = call("POST", path, json::serialize(body));
  if (!answer) return fail(answer.error());
  json::error_code error;
  json::value value = json::parse(answer->body, error);
  if (error || !value.is_object()) return fail(not_json(login_.url));
  return std::move(value.get_object());
}

Status ApiClient::remove(const std::string& path) {
  auto answer = call("DELETE", path, "");
  return answer ? Status() : answer.error();
}

std::string project_resource(const std::string& full_path) {
  return "/projects/" + percent_encode(full_path);
}

std::string error_text(const std::string& body) {
  json::error_code error;
  const json::value value = json::parse(body, error);
  std::string text;
  if (error || !value.is_object()) return text;
  for (const char* name : {"message", "error_description", "error"}) {
    const json::value* found = value.get_object().if_contains(name);
    if (found != nullptr && text.empty()) flatten(*found, text);
  }
  return text;
}

std::string field(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return {};
  if (const json::string* text = value->if_string()) return std::string(*text);
  return json::serialize(*value);
}

}  // namespace towline::cli
