#include "modules/kubernetes_api/server/status_reply.h"

#include <span>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace towline::kubernetes_api {
namespace {

// metav1.StatusReason, by HTTP status.
std::string_view reason(int status) {
  switch (status) {
    case 400:
      return "BadRequest";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "NotFound";
    case 405:
      return "MethodNotAllowed";
    case 413:
      return "RequestEntityTooLarge";
    case 429:
      return "TooManyRequests";
    case 503:
      return "ServiceUnavailable";
    case 504:
      return "Timeout";
    default:
      return "InternalError";
  }
}

}  // namespace

ProxyError error_for(const Status& status) {
  switch (status.code()) {
    case Code::kInvalidArgument:
      return {400, status.message()};
    case Code::kUnauthenticated:
      return {401, status.message()};
    case Code::kPermissionDenied:
      return {403, status.message()};
    case Code::kNotFound:
      return {503, status.message()};
    case Code::kResourceExhausted:
      return {429, status.message(), 1};
    case Code::kAborted:
      return {503, status.message(), 1};
    case Code::kUnavailable:
      return {502, status.message()};
    case Code::kDeadlineExceeded:
      return {504, status.message()};
    default:
      return {502, status.to_string()};
  }
}

ProxyError error_for_call(const Status& status) {
  const bool agents = status.message().starts_with("agentk: ");
  if (agents && status.code() == Code::kResourceExhausted) return {502, status.message()};
  return error_for(status);
}

std::string status_json(const ProxyError& error) {
  const boost::json::object object = {
      {"kind", "Status"},
      {"apiVersion", "v1"},
      {"metadata", boost::json::object{}},
      {"status", "Failure"},
      {"message", "kas: " + error.message},
      {"reason", reason(error.http_status)},
      {"code", error.http_status},
  };
  return boost::json::serialize(object);
}

void reply(http::ServerExchange& exchange, const ProxyError& error) {
  const std::string body = status_json(error);
  http::ResponseHead head;
  head.status = error.http_status;
  head.content_length = body.size();
  head.headers.add("content-type", "application/json");
  if (error.http_status == 401) head.headers.add("gitlab-unauthorized", "true");
  if (error.retry_after_seconds > 0)
    head.headers.add("retry-after", std::to_string(error.retry_after_seconds));
  exchange.respond(head);
  exchange.write(std::as_bytes(std::span(body)));
  exchange.end();
}

}  // namespace towline::kubernetes_api
