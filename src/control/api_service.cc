#include "control/api_service.h"

#include <utility>

namespace towline::control {
namespace {

bool asks_graphql(const http::RequestHead& head) { return head.path().starts_with(graphql::Endpoint::kPath); }

}  // namespace

bool ApiService::bears_credentials(const http::RequestHead& head) const {
  return api_.guard().bears_credentials(head);
}

std::shared_ptr<const http::Visitor> ApiService::identify(const http::Request& request) {
  auto guest = api_.guard().receive(request);
  if (guest) return std::move(*guest);
  http::Visitor stranger;
  stranger.who = io::Caller::address(request.peer);
  stranger.refusal = asks_graphql(request.head) ? graphql_.refuse_caller(request, guest.error())
                                                : api_.refuse_caller(request, guest.error());
  return std::make_shared<const http::Visitor>(std::move(stranger));
}

http::Reply ApiService::answer(const http::Request& request, const http::Visitor& visitor) {
  if (asks_graphql(request.head)) return graphql_.answer(request, &visitor);
  return api_.answer(request, &visitor);
}

io::FairPool& ApiService::workers(const http::RequestHead& head) {
  return api::Api::asks_password(head) ? pools_.log_in : pools_.work;
}

}  // namespace towline::control
