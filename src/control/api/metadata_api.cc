#include <boost/json.hpp>

#include "control/api/respond.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

Result<http::Response> metadata(Context& context) {
  const Core& core = context.core;
  return json_response(200, json::object{{"version", core.version},
                                         {"revision", "towline"},
                                         {"kas",
                                          {{"enabled", true},
                                           {"externalUrl", core.kas_external_url},
                                           {"externalK8sProxyUrl", core.k8s_proxy_external_url},
                                           {"version", core.version}}},
                                         {"enterprise", false}});
}

constexpr Route kRoutes[] = {
    {"GET", "/metadata", metadata, Need::kUser, "Version and addresses of this server"},
    {"GET", "/version", metadata, Need::kUser, "The same as /metadata"},
};

}  // namespace

std::span<const Route> metadata_routes() { return kRoutes; }

}  // namespace towline::control::api
