#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace towline {

/// gRPC's canonical status codes; the one error enum of the project.
/// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// "UNAVAILABLE" for Code::kUnavailable.
std::string_view code_name(Code code);

/// What became of an operation: a code for programs and a message for people. The message names the hop
/// that failed and, where there is one, the fix; it never holds a secret.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  /// The same code with "prefix: " before the message.
  Status with_prefix(std::string_view prefix) const;

  /// "UNAVAILABLE: connection refused", for logs.
  std::string to_string() const;

  friend bool operator==(const Status&, const Status&) = default;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

/// A value or the reason why there is none.
template <typename T>
using Result = std::expected<T, Status>;

/// `return fail(Code::kNotFound, "no such project");` in a function that returns a Result.
inline std::unexpected<Status> fail(Code code, std::string message) {
  return std::unexpected<Status>(std::in_place, code, std::move(message));
}
inline std::unexpected<Status> fail(Status status) { return std::unexpected<Status>(std::move(status)); }

/// A Status from an errno value: "what: Connection refused".
Status errno_status(int error, std::string_view what);

}  // namespace towline
