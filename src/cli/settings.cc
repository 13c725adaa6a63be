#include "cli/settings.h"

#include <cerrno>
#include <unistd.h>

#include <yaml-cpp/yaml.h>

#include "base/url.h"
#include "cli/files.h"

namespace towline::cli {
namespace {

std::string text_at(const YAML::Node& root, const char* key) {
  const YAML::Node value = root[key];
  if (!value.IsDefined() || value.IsNull()) return {};
  return value.as<std::string>();
}

Result<Login> parse(const std::string& text) {
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) return fail(Code::kFailedPrecondition, "it is not a YAML mapping");
    return Login{text_at(root, "url"), Secret(text_at(root, "token")), text_at(root, "ca_file")};
  } catch (const YAML::Exception& error) {
    return fail(Code::kFailedPrecondition, "line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
}

}  // namespace

Result<std::string> server_url(std::string_view text) {
  const auto wrong = [&](const char* why) {
    return fail(Code::kInvalidArgument, "the server's address " + std::string(why) +
                                            ": give it like https://towline.example.com:8443");
  };
  const auto url = parse_url(text);
  if (!url) return wrong("is not a URL");
  if (url->scheme != "https" && url->scheme != "http") return wrong("must begin with https:// or http://");
  if (url->host.empty()) return wrong("names no host");
  if (!url->user.empty() || !url->password.empty()) return wrong("must not hold a user name or password");
  if (!url->query.empty()) return wrong("must not have a query");
  std::string path = url->path;
  while (path.ends_with('/')) path.pop_back();
  return url->scheme + "://" + url->authority() + path;
}

Result<SettingsFile> SettingsFile::of(const Environment& environment) {
  auto folder = environment.config_folder();
  if (!folder) return fail(folder.error());
  return SettingsFile(*folder / "config.yaml");
}

Result<std::optional<Login>> SettingsFile::load() const {
  auto text = read_if_exists(path_);
  if (!text) return fail(text.error());
  if (!*text) return std::nullopt;
  auto login = parse(**text);
  if (!login) {
    return fail(login.error().with_prefix(path_.string()).with_prefix("log in again, or correct the file"));
  }
  return std::move(*login);
}

Status SettingsFile::save(const Login& login) const {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "url" << YAML::Value << YAML::DoubleQuoted << login.url;
  out << YAML::Key << "token" << YAML::Value << YAML::DoubleQuoted << login.token.reveal();
  if (!login.ca_file.empty()) {
    out << YAML::Key << "ca_file" << YAML::Value << YAML::DoubleQuoted << login.ca_file;
  }
  out << YAML::EndMap;
  return write_atomically(path_, std::string(out.c_str()) + "\n");
}

Result<bool> SettingsFile::remove() const {
  if (::unlink(path_.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return fail(Code::kFailedPrecondition, errno_status(errno, path_.string()).message());
}

Result<Login> current_login(const Environment& environment) {
  Login login;
  const std::string url = environment.get("TOWLINE_URL");
  if (!url.empty()) {
    auto checked = server_url(url);
    if (!checked) return fail(checked.error().with_prefix("TOWLINE_URL"));
    login.url = std::move(*checked);
  }
  login.token = Secret(environment.get("TOWLINE_TOKEN"));
  login.ca_file = environment.get("TOWLINE_CA");

  if (login.url.empty() || login.token.empty()) {
    const auto file = SettingsFile::of(environment);
    if (!file) return fail(file.error());
    auto saved = file->load();
    if (!saved) return fail(saved.error());
    if (*saved && (login.url.empty() || login.url == (*saved)->url)) {
      login.url = (*saved)->url;
      if (login.token.empty()) login.token = (*saved)->token;
      if (login.ca_file.empty()) login.ca_file = (*saved)->ca_file;
    }
  }
  if (login.url.empty() || login.token.empty()) {
    return fail(Code::kUnauthenticated,
                "not logged in" + (login.url.empty() ? "" : " to " + login.url) +
                    ": run `towline login --url https://host`, or set TOWLINE_URL and TOWLINE_TOKEN");
  }
  return login;
}

}  // namespace towline::cli
