#pragma once

#include <memory>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "cli/settings.h"

namespace towline::cli {

/// The server's REST API as one user. Errors tell what the server said and what helps; their codes are
/// kUnauthenticated for 401, kPermissionDenied for 403, kNotFound for 404. Paths begin with a slash and are
/// below /api/v4. One thread at a time.
class ApiClient {
 public:
  explicit ApiClient(Login login);
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  const Login& login() const { return login_; }

  /// Tried again a few times when the server is unavailable for a moment; nothing else is.
  Result<boost::json::object> get(const std::string& path);
  /// All items of a list, page by page.
  Result<boost::json::array> list(const std::string& path);
  Result<boost::json::object> post(const std::string& path, const boost::json::object& body);
  Status remove(const std::string& path);

 private:
  struct Connection;
  struct Answer;
  Result<Answer> call(const char* method, const std::string& path, const std::string& body);
  Result<Answer> call_patiently(const std::string& path);

  Login login_;
  std::unique_ptr<Connection> connection_;
};

/// "/projects/group%2Fname" for a full path.
std::string project_resource(const std::string& full_path);

/// What an error's body says: `message`, `error_description` or `error`, with its lists and objects as text.
std::string error_text(const std::string& body);

/// Text of a field; numbers and truth values as they are written, null and absence as nothing.
std::string field(const boost::json::object& object, std::string_view name);

}  // namespace towline::cli
