#include "kube/events.h"

#include "base/encoding.h"
#include "io/loop.h"
#include "kube/call.h"
#include "kube/rfc3339.h"

namespace towline::kube {

namespace json = boost::json;

std::unique_ptr<io::Operation> record_event(io::Loop& loop, Client& client, const Event& event, Logger log) {
  const auto wall = loop.clock().wall();
  const std::string now = format_rfc3339(wall, false);
  json::object regarding = event.regarding;
  regarding["namespace"] = event.namespace_;
  const std::string name = text_at(regarding, {"name"}) + "." + hex_encode(random_bytes(8));
  json::object body{{"apiVersion", "v1"},
                    {"kind", "Event"},
                    {"metadata", {{"name", name}, {"namespace", event.namespace_}}},
                    {"involvedObject", std::move(regarding)},
                    {"reason", event.reason},
                    {"message", event.message},
                    {"type", "Normal"},
                    {"source", {{"component", event.component}, {"host", event.instance}}},
                    {"count", 1},
                    {"firstTimestamp", now},
                    {"lastTimestamp", now}};
  const Call request{.method = "POST",
                     .target = "/api/v1/namespaces/" + event.namespace_ + "/events",
                     .body = std::move(body)};
  return call(loop, client, request, [log = std::move(log)](const Result<json::object>& answer) {
    if (!answer) log.debug("an event was not recorded", {{"error", answer.error().message()}});
  });
}

}  // namespace towline::kube
