#include "kube/kubeconfig.h"

#include <filesystem>
#include <system_error>

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include "kube/files.h"
#include "kube/yaml_fields.h"

namespace towline::kube {
namespace {

namespace fs = std::filesystem;

// The extension of a cluster that is handed to exec plugins as it is.
constexpr std::string_view kExecExtension = "client.authentication.k8s.io/exec";

/// Reads one file's entries.
class Reader {
 public:
  Reader(const std::string& path, Status& error) : file_(path), error_(error) {
    std::error_code ignored;
    folder_ = fs::absolute(path, ignored).parent_path();
  }

  Kubeconfig read(const YamlFields& document) {
    Kubeconfig config;
    expect(document, "kind", "Config");
    expect(document, "apiVersion", "v1");
    config.current_context = document.text("current-context");
    named(document, "clusters", "cluster", config.clusters, [&](const auto& f) { return cluster(f); });
    named(document, "users", "user", config.users, [&](const auto& f) { return user(f); });
    named(document, "contexts", "context", config.contexts, [&](const auto& f) { return context(f); });
    return config;
  }

 private:
  void complain(std::string message) {
    if (error_.ok()) error_ = Status(Code::kInvalidArgument, std::move(message));
  }

  void expect(const YamlFields& document, std::string_view key, std::string_view value) {
    const std::string found = document.text(key);
    if (found.empty() || found == value) return;
    complain(std::string(key) + ": must be \"" + std::string(value) + "\", is \"" + found + "\"");
  }

  template <typename Entry, typename Read>
  void named(const YamlFields& document, std::string_view list, std::string_view key, Named<Entry>& into,
             Read read) {
    for (const YamlFields& item : document.maps(list)) {
      std::string name = item.text("name");
      Entry entry = read(item.map(key));
      entry.file = file_;
      if (!into.emplace(name, std::move(entry)).second) {
        complain(item.where() + ".name: \"" + name + "\" is there twice");
      }
    }
  }

  std::string path(std::string text) const {
    if (text.empty()) return text;
    return (folder_ / text).lexically_normal().string();
  }

  ClusterEntry cluster(const YamlFields& fields) {
    ClusterEntry entry;
    entry.server = fields.text("server");
    entry.tls_server_name = fields.text("tls-server-name");
    entry.certificate_authority = path(fields.text("certificate-authority"));
    entry.certificate_authority_data = fields.text("certificate-authority-data");
    entry.insecure_skip_tls_verify = fields.boolean("insecure-skip-tls-verify");
    entry.proxy_url = fields.text("proxy-url");
    for (const YamlFields& extension : fields.maps("extensions")) {
      if (extension.text("name") == kExecExtension) entry.exec_config = extension.json("extension");
    }
    return entry;
  }

  UserEntry user(const YamlFields& fields) {
    UserEntry entry;
    entry.client_certificate = path(fields.text("client-certificate"));
    entry.client_certificate_data = fields.text("client-certificate-data");
    entry.client_key = path(fields.text("client-key"));
    entry.client_key_data = Secret(fields.text("client-key-data"));
    entry.token = Secret(fields.text("token"));
    entry.token_file = path(fields.text("tokenFile"));
    entry.username = fields.text("username");
    entry.password = Secret(fields.text("password"));
    entry.as = fields.text("as");
    entry.as_uid = fields.text("as-uid");
    entry.as_groups = fields.texts("as-groups");
    entry.as_user_extra = fields.has("as-user-extra");
    if (fields.has("exec")) entry.exec = exec(fields.map("exec"));
    if (fields.has("auth-provider")) {
      entry.auth_provider = fields.map("auth-provider").text("name");
      if (entry.auth_provider.empty()) entry.auth_provider = "(without a name)";
    }
    return entry;
  }

  ExecEntry exec(const YamlFields& fields) {
    ExecEntry entry;
    entry.api_version = fields.text("apiVersion");
    entry.command = fields.text("command");
    if (entry.command.find('/') != std::string::npos) entry.command = path(std::move(entry.command));
    entry.args = fields.texts("args");
    for (const YamlFields& variable : fields.maps("env")) {
      entry.env.emplace_back(variable.text("name"), Secret(variable.text("value")));
    }
    entry.interactive_mode = fields.text("interactiveMode");
    entry.install_hint = fields.text("installHint");
    entry.provide_cluster_info = fields.boolean("provideClusterInfo");
    return entry;
  }

  ContextEntry context(const YamlFields& fields) {
    ContextEntry entry;
    entry.cluster = fields.text("cluster");
    entry.user = fields.text("user");
    entry.namespace_ = fields.text("namespace");
    return entry;
  }

  std::string file_;
  fs::path folder_;
  Status& error_;
};

/// The parser's complaint without what it quotes from the text, which may be a secret.
Status syntax_error(const YAML::Exception& exception) {
  std::string what = exception.msg.substr(0, exception.msg.find(':'));
  if (exception.mark.line >= 0) what += " (line " + std::to_string(exception.mark.line + 1) + ")";
  return Status(Code::kInvalidArgument, "not YAML: " + what);
}

}  // namespace

Result<Kubeconfig> parse_kubeconfig(std::string_view text, const std::string& path) {
  Status error;
  Kubeconfig config;
  if (text.size() > kMaxFileSize) {
    error = Status(Code::kInvalidArgument, "larger than " + std::to_string(kMaxFileSize) + " bytes");
  } else {
    try {
      config = Reader(path, error).read(YamlFields(YAML::Load(std::string(text)), "", error));
    } catch (const YAML::DeepRecursion&) {
      error = Status(Code::kInvalidArgument, "not YAML: nested too deep");
    } catch (const YAML::Exception& exception) {
      error = syntax_error(exception);
    }
  }
  if (!error.ok()) return fail(error.with_prefix("kubeconfig " + path));
  return config;
}

void merge_kubeconfig(Kubeconfig& first, Kubeconfig later) {
  if (first.current_context.empty()) first.current_context = std::move(later.current_context);
  first.clusters.merge(later.clusters);
  first.users.merge(later.users);
  first.contexts.merge(later.contexts);
}

Result<Kubeconfig> read_kubeconfigs(const std::vector<std::string>& paths) {
  Kubeconfig all;
  for (const std::string& path : paths) {
    const Result<Secret> text = read_file(path);
    if (!text && text.error().code() == Code::kNotFound) continue;
    if (!text) return fail(text.error().with_prefix("kubeconfig"));
    Result<Kubeconfig> one = parse_kubeconfig(text->reveal(), path);
    if (!one) return one;
    merge_kubeconfig(all, std::move(*one));
  }
  return all;
}

}  // namespace towline::kube
