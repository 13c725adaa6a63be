#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "base/status.h"
#include "cli/environment.h"

namespace towline::cli {

/// Which server, and as whom.
struct Login {
  std::string url;      // without a slash at its end
  Secret token;         // a personal access token
  std::string ca_file;  // PEM file with the CA of the server's certificate, or empty
};

/// The server's address as it is kept: http or https, without credentials, query and trailing slash.
Result<std::string> server_url(std::string_view text);

/// The configuration file, config.yaml in Environment::config_folder().
class SettingsFile {
 public:
  static Result<SettingsFile> of(const Environment& environment);
  explicit SettingsFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  /// Nothing when there is no file; an error that names the line when it is broken.
  Result<std::optional<Login>> load() const;
  /// Only the owner can read what is written.
  Status save(const Login& login) const;
  /// Whether there was a file.
  Result<bool> remove() const;

 private:
  std::filesystem::path path_;
};

/// The login that commands use: TOWLINE_URL, TOWLINE_TOKEN and TOWLINE_CA where they are set, else the file.
/// What the file says of one server is never used for another. kUnauthenticated when something is missing.
Result<Login> current_login(const Environment& environment);

}  // namespace towline::cli
