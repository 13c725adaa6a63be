#include "http/error_response.h"

#include <string>

namespace towline::http {
namespace {

// metav1.StatusReason; kubectl prints the message whatever it is.
std::string_view reason_of(int status) {
  switch (status) {
    case 400:
      return "BadRequest";
    case 408:
      return "Timeout";
    case 413:
      return "RequestEntityTooLarge";
    case 431:
      return "RequestHeaderFieldsTooLarge";
    case 503:
      return "ServiceUnavailable";
    default:
      return status < 500 ? "BadRequest" : "InternalError";
  }
}

}  // namespace

Response error_response(int status, std::string_view message) {
  Response response = json_message(status, message);
  // {"message":"..."} becomes a part of it.
  const std::string told = response.body.substr(1, response.body.rfind('}') - 1);
  response.body = R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)" + told +
                  R"(,"reason":")" + std::string(reason_of(status)) + R"(","code":)" +
                  std::to_string(status) + "}";
  if (status == 503) response.headers.add("retry-after", "1");
  return response;
}

}  // namespace towline::http
