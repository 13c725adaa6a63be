#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/status.h"

namespace towline::kube {

// What kubeconfig files say, unjudged. https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
// Paths are absolute; *_data is base64 as written. `file` is the kubeconfig that holds the entry.

struct ClusterEntry {
  std::string file;
  std::string server;
  std::string tls_server_name;
  std::string certificate_authority;
  std::string certificate_authority_data;
  std::string proxy_url;
  /// JSON of the extension client.authentication.k8s.io/exec, meant for exec plugins; empty: none.
  std::string exec_config;
  bool insecure_skip_tls_verify = false;
};

struct ExecEntry {
  std::string api_version;
  std::string command;  // a name to look for in $PATH, or an absolute path
  std::vector<std::string> args;
  std::vector<std::pair<std::string, Secret>> env;
  std::string interactive_mode;
  std::string install_hint;
  bool provide_cluster_info = false;
};

struct UserEntry {
  std::string file;
  std::string client_certificate;
  std::string client_certificate_data;
  std::string client_key;
  Secret client_key_data;
  Secret token;
  std::string token_file;
  std::string username;
  Secret password;
  std::optional<ExecEntry> exec;
  std::string auth_provider;  // its name; the kind is not supported
  std::string as;
  std::string as_uid;
  std::vector<std::string> as_groups;
  bool as_user_extra = false;
};

struct ContextEntry {
  std::string file;
  std::string cluster;
  std::string user;
  std::string namespace_;
};

template <typename Entry>
using Named = std::map<std::string, Entry, std::less<>>;

struct Kubeconfig {
  std::string current_context;
  Named<ClusterEntry> clusters;
  Named<UserEntry> users;
  Named<ContextEntry> contexts;

  /// True when files said nothing, or none was there.
  bool empty() const {
    return current_context.empty() && clusters.empty() && users.empty() && contexts.empty();
  }
};

/// Parses one kubeconfig. `path` is where it came from: for messages, and relative paths start at its folder.
Result<Kubeconfig> parse_kubeconfig(std::string_view text, const std::string& path);

/// Adds what `later` names and `first` does not: entries are taken whole, never mixed.
void merge_kubeconfig(Kubeconfig& first, Kubeconfig later);

/// Reads and merges files, the first one wins. Missing ones are passed over, unreadable ones are errors.
Result<Kubeconfig> read_kubeconfigs(const std::vector<std::string>& paths);

}  // namespace towline::kube
