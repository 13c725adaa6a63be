#include "base/status.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace towline {

std::string_view code_name(Code code) {
  static constexpr std::array<std::string_view, 17> kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : "UNKNOWN";
}

Status Status::with_prefix(std::string_view prefix) const {
  return Status(code_, std::string(prefix) + ": " + message_);
}

std::string Status::to_string() const {
  if (message_.empty()) return std::string(code_name(code_));
  return std::string(code_name(code_)) + ": " + message_;
}

Status errno_status(int error, std::string_view what) {
  Code code = Code::kUnavailable;
  if (error == ECANCELED) code = Code::kCancelled;
  if (error == ETIMEDOUT) code = Code::kDeadlineExceeded;
  if (error == EACCES || error == EPERM) code = Code::kPermissionDenied;
  if (error == ENOENT) code = Code::kNotFound;
  if (error == EMFILE || error == ENFILE || error == ENOMEM) code = Code::kResourceExhausted;
  return Status(code, std::string(what) + ": " + std::generic_category().message(error));
}

}  // namespace towline
