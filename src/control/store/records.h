#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/roles.h"

namespace towline::control {

/// Milliseconds since 1970 in UTC. 0 stands for "never" and "not set".
using Millis = std::int64_t;

struct User {
  std::int64_t id = 0;
  std::string username;
  std::string name;
  std::string email;
  std::string state = "active";  // or "blocked"
  bool admin = false;
  Millis created_at = 0;
  std::int64_t bot_project_id = 0;  // the project whose access token this is the user of

  bool active() const { return state == "active"; }
};

/// A personal access token without its secret.
struct AccessToken {
  std::int64_t id = 0;
  std::int64_t user_id = 0;
  std::string name;
  std::string scopes;  // separated by spaces
  Millis created_at = 0;
  Millis expires_at = 0;
  Millis last_used_at = 0;
  Millis revoked_at = 0;

  bool has_scope(std::string_view scope) const;
  bool valid_at(Millis now) const { return revoked_at == 0 && (expires_at == 0 || now < expires_at); }
};

/// A user's own namespace or a group.
struct Namespace {
  std::int64_t id = 0;
  std::string kind;  // "user" or "group"
  std::string name;
  std::string path;
  std::string full_path;
  std::string full_name;
  std::int64_t parent_id = 0;  // 0: top level
  std::int64_t owner_id = 0;   // of a user's namespace
  std::string description;
  std::string visibility = "private";  // or "internal" or "public"
  Millis created_at = 0;

  bool is_group() const { return kind == "group"; }
};

struct Project {
  std::int64_t id = 0;
  std::int64_t namespace_id = 0;
  std::string name;
  std::string path;
  std::string full_path;
  std::string description;
  std::string visibility = "private";
  std::string default_branch = "main";
  std::int64_t creator_id = 0;
  Millis created_at = 0;
  Millis last_activity_at = 0;
};

/// A member of exactly one group or project.
struct Member {
  User user;
  Role role = Role::kNone;
  Millis created_at = 0;
};

struct AgentRecord {
  std::int64_t id = 0;
  std::int64_t project_id = 0;
  std::string name;
  std::int64_t created_by_user_id = 0;
  Millis created_at = 0;
  Millis last_contact_at = 0;
  std::string last_version;  // as its pods last said it, "v17.1.0"
  /// Of a receptive agent: this server dials it.
  bool receptive = false;
};

/// A connection of one of an agent's pods.
struct AgentConnection {
  std::int64_t id = 0;
  std::int64_t agent_id = 0;
  std::string version;
  std::string commit_id;
  std::string pod_namespace;
  std::string pod_name;
  Millis connected_at = 0;
  Millis last_seen_at = 0;
};

/// Something that happened to an agent, for the page that lists a week of it.
struct AgentEvent {
  std::int64_t id = 0;
  std::int64_t agent_id = 0;
  std::string kind;    // "token_created", see AgentEventTable
  std::string detail;  // for people
  std::int64_t user_id = 0;
  std::int64_t token_id = 0;
  Millis recorded_at = 0;
  std::string username;    // of user_id, while there is one
  std::string user_name;   // likewise
  std::string token_name;  // of token_id
};

/// A change that somebody made.
struct AuditEvent {
  std::int64_t id = 0;
  Millis at = 0;
  std::int64_t user_id = 0;
  std::string username;
  std::string address;
  std::string action;  // "POST /projects/:id/cluster_agents"
  std::string target;  // the path as it was called; of a GraphQL mutation: what it changed
};

/// A session of the web page, without its secret.
struct SessionRecord {
  std::int64_t id = 0;
  std::int64_t user_id = 0;
  Millis created_at = 0;
  Millis expires_at = 0;
};

struct Environment {
  std::int64_t id = 0;
  std::int64_t project_id = 0;
  std::string name;
  std::string slug;
  std::string state = "available";  // or "stopped"
  std::string tier = "other";
  std::string external_url;
  std::string description;
  std::int64_t cluster_agent_id = 0;
  std::string kubernetes_namespace;
  std::string flux_resource_path;
  Millis created_at = 0;
  Millis updated_at = 0;
};

/// How this server reaches a receptive agent. Keys are encrypted (domain/vault.h).
struct UrlConfiguration {
  std::int64_t id = 0;
  std::int64_t agent_id = 0;
  std::string url;
  std::string public_key;   // base64; with private_key, when there is no client certificate
  std::string private_key;  // encrypted
  std::string client_cert;
  std::string client_key;  // encrypted
  std::string ca_cert;
  std::string tls_host;
  std::int64_t created_by_user_id = 0;
  Millis created_at = 0;
};

struct ProtectedBranch {
  std::int64_t id = 0;
  std::int64_t project_id = 0;
  std::string name;  // may hold "*"
  Role push_access_level = Role::kMaintainer;
  bool allow_force_push = false;
};

struct AgentToken {
  std::int64_t id = 0;
  std::int64_t agent_id = 0;
  std::string name;
  std::string description;
  std::int64_t created_by_user_id = 0;
  Millis created_at = 0;
  Millis last_used_at = 0;
  Millis revoked_at = 0;
};

/// What is known of the configuration file of an agent.
struct StoredConfiguration {
  std::int64_t agent_id = 0;
  std::string commit_id;  // of the version in force
  std::string content;    // its text
  std::string fault;      // why a newer version is not in force; empty when the newest one is
  std::string fault_commit_id;
  Millis updated_at = 0;
  std::string warnings;  // one a line
  /// Whether what it lists has been looked up, and is in AgentAccessTable under `commit_id`.
  bool resolved = false;
};

/// What a configuration lists, by number: the path may get another owner, the number never does.
struct AccessRule {
  enum class Section { kUserAccess, kCiAccess };
  enum class Kind { kProject, kGroup };
  Section section = Section::kUserAccess;
  Kind kind = Kind::kProject;
  std::int64_t target_id = 0;

  bool operator==(const AccessRule&) const = default;
};

/// Which part of a list is asked for.
struct Page {
  std::int64_t number = 1;
  std::int64_t size = 20;
  std::int64_t skip = 0;  // items before the first page
  std::int64_t offset() const { return skip + (number - 1) * size; }
};

/// The part of a list that is all there.
template <typename T>
std::span<const T> part_of(const std::vector<T>& all, const Page& page) {
  const std::size_t first = std::min(static_cast<std::size_t>(page.offset()), all.size());
  return std::span(all).subspan(first, std::min(static_cast<std::size_t>(page.size), all.size() - first));
}

template <typename T>
struct Listed {
  std::vector<T> items;
  std::int64_t total = 0;
};

}  // namespace towline::control
