#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace towline::kubernetes_api {

/// What an answer is read for.
struct AnswerContext {
  /// The protocol that the request asked to switch to; empty: none.
  std::string_view upgrade;
  /// The path below which the client sees the cluster's API, without a slash at the end.
  std::string_view prefix;
};

/// Reads the head of an answer from the agent's message (grpctool.HttpResponse) and makes it fit for the
/// client, who sees it on this server's origin: fields that would speak for that origin or for one hop only
/// are left out, and redirects within the cluster's API lead through the proxy. UNAVAILABLE when it is no
/// answer that could be passed on; nothing has been sent by then.
Result<http::ResponseHead> read_answer(std::string_view message, const AnswerContext& context);

/// `location` (the value of Location or Content-Location) for a client who sees the cluster's API below
/// `prefix`: what begins with one slash is relative to the API server's root.
std::string with_prefix(std::string_view location, std::string_view prefix);

}  // namespace towline::kubernetes_api
