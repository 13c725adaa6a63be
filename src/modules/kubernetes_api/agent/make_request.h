#pragma once

#include <chrono>

#include "grpc/call.h"
#include "kube/client.h"

namespace towline::kubernetes_api {

struct MakeRequestOptions {
  /// Limit: time from the end of a request to the first byte of the cluster's answer; over it 504. Kubernetes
  /// ends ordinary requests after 60 s.
  std::chrono::milliseconds first_byte_timeout{75'000};
};

/// The agent's side of the Kubernetes API proxy (KubernetesApi/MakeRequest): each call is one HTTP request to
/// the cluster's API. `client` outlives the handler's calls. Failures to reach the API are UNAVAILABLE with a
/// message that begins with "agentk: ".
grpc::CallHandler make_request_handler(kube::Client& client, MakeRequestOptions options);

}  // namespace towline::kubernetes_api
