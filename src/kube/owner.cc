#include "kube/owner.h"

#include <utility>

#include <boost/json/array.hpp>

#include "base/once.h"
#include "kube/call.h"

namespace towline::kube {
namespace {

namespace json = boost::json;

// The reference to an object's controller, or an empty object.
json::object controller_of(const json::object& object) {
  const json::value* const owners = find(object, {"metadata", "ownerReferences"});
  if (owners == nullptr || !owners->is_array()) return {};
  for (const json::value& each : owners->get_array()) {
    if (!each.is_object()) continue;
    const json::object& owner = each.get_object();
    const json::value* const controller = find(owner, {"controller"});
    if (controller == nullptr || !controller->is_bool() || !controller->get_bool()) continue;
    return {{"apiVersion", text_at(owner, {"apiVersion"})},
            {"kind", text_at(owner, {"kind"})},
            {"name", text_at(owner, {"name"})},
            {"uid", text_at(owner, {"uid"})}};
  }
  return {};
}

class Search final : public io::Operation {
 public:
  Search(io::Loop& loop, Client& client, std::string place, const std::string& pod, OwnerFound found)
      : loop_(loop), client_(client), namespace_(std::move(place)), found_(std::move(found)) {
    const Call request{.target = "/api/v1/namespaces/" + namespace_ + "/pods/" + pod};
    call_ = call(loop_, client_, request, [this](Result<json::object> answer) {
      json::object owner = answer ? controller_of(*answer) : json::object();
      if (text_at(owner, {"kind"}) == "ReplicaSet") return look_above(std::move(owner));
      finish(std::move(owner));
    });
  }

 private:
  // A ReplicaSet goes with each new version; its Deployment stays.
  void look_above(json::object replica_set) {
    const Call request{.target = "/apis/apps/v1/namespaces/" + namespace_ + "/replicasets/" +
                                 text_at(replica_set, {"name"})};
    call_ = call(loop_, client_, request,
                 [this, replica_set = std::move(replica_set)](Result<json::object> answer) mutable {
                   json::object owner = answer ? controller_of(*answer) : json::object();
                   finish(owner.empty() ? std::move(replica_set) : std::move(owner));
                 });
  }
  // The callback may destroy this.
  void finish(json::object owner) { found_(std::move(owner)); }

  io::Loop& loop_;
  Client& client_;
  const std::string namespace_;
  Once<json::object> found_;
  std::unique_ptr<io::Operation> call_;
};

}  // namespace

std::unique_ptr<io::Operation> find_owner(io::Loop& loop, Client& client, std::string namespace_,
                                          std::string pod, OwnerFound found) {
  return std::make_unique<Search>(loop, client, std::move(namespace_), pod, std::move(found));
}

}  // namespace towline::kube
