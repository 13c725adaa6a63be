#include "kube/call.h"

#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/once.h"
#include "http/simple.h"
#include "io/loop.h"
#include "kube/client.h"

namespace towline::kube {
namespace {

namespace json = boost::json;

/// Limit: bytes of an answer of the Kubernetes API to the agent itself; the call fails. Single objects and
/// the lists that are asked for are far below.
constexpr std::size_t kMaxAnswer = 1024 * 1024;

Code code_of(int status) {
  switch (status) {
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 409:
      return Code::kAborted;
    case 429:
      return Code::kResourceExhausted;
    default:
      return status >= 400 && status < 500 ? Code::kInvalidArgument : Code::kUnavailable;
  }
}

Result<json::object> read_answer(const http::Response& response) {
  boost::system::error_code error;
  json::value value = json::parse(response.body, error);
  const bool object = !error && value.is_object();
  if (response.status / 100 == 2) {
    if (object) return std::move(value.get_object());
    return fail(Code::kUnavailable, "the Kubernetes API answered with something else than a JSON object");
  }
  std::string message = object ? text_at(value.get_object(), {"message"}) : std::string();
  if (message.empty()) {
    message = "the Kubernetes API answered " + std::to_string(response.status) + " " +
              std::string(http::reason_phrase(response.status));
  }
  return fail(code_of(response.status), std::move(message));
}

// A request with its deadline.
class CallOperation final : public io::Operation {
 public:
  CallOperation(io::Loop& loop, Client& client, const Call& call, Answered done)
      : done_(std::move(done)), deadline_(loop, [this, limit = call.timeout] {
          finish(fail(Code::kDeadlineExceeded,
                      "the Kubernetes API has not answered within " + std::to_string(limit.count()) + " ms"));
        }) {
    http::Request request;
    request.head.method = call.method;
    request.head.target = call.target;
    request.head.headers.add("accept", "application/json");
    if (!call.body.empty()) {
      request.head.headers.add("content-type", "application/json");
      request.body = json::serialize(call.body);
    }
    deadline_.start(call.timeout);
    fetch_ = http::fetch(
        loop,
        [&](const http::RequestHead& head, bool end, http::ExchangeHandler* handler) {
          return client.start(head, end, handler);
        },
        request, kMaxAnswer,
        [this](Result<http::Response> response) {
          if (!response) return finish(fail(std::move(response.error())));
          finish(read_answer(*response));
        });
  }

 private:
  // The callback may destroy this.
  void finish(Result<json::object> answer) {
    deadline_.cancel();
    fetch_.reset();
    done_(std::move(answer));
  }

  Once<Result<json::object>> done_;
  io::Timer deadline_;
  std::unique_ptr<io::Operation> fetch_;
};

}  // namespace

std::unique_ptr<io::Operation> call(io::Loop& loop, Client& client, const Call& request, Answered done) {
  return std::make_unique<CallOperation>(loop, client, request, std::move(done));
}

const json::value* find(const json::object& object, std::initializer_list<std::string_view> path) {
  const json::object* at = &object;
  const json::value* value = nullptr;
  for (const std::string_view name : path) {
    if (at == nullptr) return nullptr;
    value = at->if_contains(name);
    if (value == nullptr) return nullptr;
    at = value->if_object();
  }
  return value;
}

std::string text_at(const json::object& object, std::initializer_list<std::string_view> path) {
  const json::value* const value = find(object, path);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace towline::kube
