#include "modules/kubernetes_api/server/credentials.h"

#include <string_view>

#include "base/decimal.h"

namespace towline::kubernetes_api {
namespace {

constexpr std::string_view kExpected =
    "send \"Authorization: Bearer pat:<agent id>:<personal access token>\" (the token of kubeconfig's user)";

/// Limit: bytes of a token; over it 401.
constexpr std::size_t kMaxToken = 512;

std::unexpected<Status> refuse(std::string_view why) {
  return fail(Code::kUnauthenticated, std::string(why) + ": " + std::string(kExpected));
}

}  // namespace

Result<ProxyCredential> parse_credential(std::string_view authorization) {
  const auto space = authorization.find(' ');
  if (space == std::string_view::npos ||
      !http::equals_ignoring_case(authorization.substr(0, space), "bearer")) {
    return refuse("the Authorization header is not a bearer token");
  }
  std::string_view rest = authorization.substr(space + 1);
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const auto kind_end = rest.find(':');
  if (kind_end == std::string_view::npos) return refuse("the token does not name an agent");
  if (rest.substr(0, kind_end) != "pat") return refuse("unknown kind of token");
  rest.remove_prefix(kind_end + 1);
  const auto id_end = rest.find(':');
  if (id_end == std::string_view::npos) return refuse("the token does not name an agent");
  ProxyCredential credential;
  const std::string_view id = rest.substr(0, id_end);
  const auto agent_id = parse_id(id);
  if (!agent_id) return refuse("the agent id is not a number");
  credential.agent_id = *agent_id;
  const std::string_view token = rest.substr(id_end + 1);
  if (token.empty() || token.size() > kMaxToken) return refuse("the token is empty or too long");
  credential.token = Secret(std::string(token));
  return credential;
}

Result<ProxyCredential> take_credential(http::RequestHead& head) {
  const auto authorization = head.headers.get("authorization");
  Result<ProxyCredential> credential = authorization
                                           ? parse_credential(*authorization)
                                           : Result<ProxyCredential>(refuse("no Authorization header"));
  for (const std::string_view name : {"authorization", "cookie", "gitlab-agent-id", "x-csrf-token",
                                      "private-token", "job-token", "proxy-authorization", "trailer"}) {
    head.headers.remove(name);
  }
  return credential;
}

}  // namespace towline::kubernetes_api
