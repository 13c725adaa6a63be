#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/json/object.hpp>

#include "io/dial.h"

namespace towline::kube {

class Client;

/// Finds what a pod belongs to in the end, its Deployment for example, as an owner reference of metav1
/// (apiVersion, kind, name, uid), so that what the pod makes can go with it. Gives an empty object where
/// the pod has no controller or may not read it. Calls back once on `loop`, never from inside.
using OwnerFound = std::move_only_function<void(boost::json::object owner)>;
[[nodiscard]] std::unique_ptr<io::Operation> find_owner(io::Loop& loop, Client& client,
                                                        std::string namespace_, std::string pod,
                                                        OwnerFound found);

}  // namespace towline::kube
