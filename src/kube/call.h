#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/json/object.hpp>

#include "base/status.h"
#include "io/dial.h"

namespace towline::io {
class Loop;
}

namespace towline::kube {

class Client;

/// A request of our own to the Kubernetes API, as opposed to one that is passed through.
struct Call {
  std::string method = "GET";
  std::string target;        // path and query
  boost::json::object body;  // sent as JSON; empty: none
  std::chrono::milliseconds timeout{10'000};
};

/// Gets the object in the answer of 2xx, or an error with the API's own message: UNAUTHENTICATED (401),
/// PERMISSION_DENIED (403), NOT_FOUND (404), ABORTED (409: it was changed meanwhile, or is there already),
/// RESOURCE_EXHAUSTED (429), DEADLINE_EXCEEDED, UNAVAILABLE.
using Answered = std::move_only_function<void(Result<boost::json::object> answer)>;

/// Calls back once on `loop`, which is the client's, never from inside call(). Destroying the operation
/// cancels the request. An answer of more than 1 MiB is an error.
[[nodiscard]] std::unique_ptr<io::Operation> call(io::Loop& loop, Client& client, const Call& request,
                                                  Answered done);

/// The value at a path of names, "metadata", "uid"; null where there is none.
const boost::json::value* find(const boost::json::object& object,
                               std::initializer_list<std::string_view> path);
/// The same as text; empty where there is no text.
std::string text_at(const boost::json::object& object, std::initializer_list<std::string_view> path);

}  // namespace towline::kube
