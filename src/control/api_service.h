#pragma once

#include "control/api/api.h"
#include "control/graphql/endpoint.h"
#include "http/service.h"

namespace towline::control {

/// The REST API and GraphQL as one service of whole requests: who calls is asked of the API's guard at the
/// head of a request, and each caller has his share of the threads. All must outlive it.
class ApiService final : public http::Service {
 public:
  struct Pools {
    io::FairPool& door;
    io::FairPool& work;
    /// For log-ins, which hash passwords: long, and asked for by strangers.
    io::FairPool& log_in;
  };

  ApiService(api::Api& api, graphql::Endpoint& graphql, Pools pools)
      : api_(api), graphql_(graphql), pools_(pools) {}

  bool bears_credentials(const http::RequestHead& head) const override;
  std::shared_ptr<const http::Visitor> identify(const http::Request& request) override;
  http::Reply answer(const http::Request& request, const http::Visitor& visitor) override;
  io::FairPool& doorkeepers() override { return pools_.door; }
  io::FairPool& workers(const http::RequestHead& head) override;

 private:
  api::Api& api_;
  graphql::Endpoint& graphql_;
  Pools pools_;
};

}  // namespace towline::control
