#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/status.h"
#include "control/backend.h"
#include "control/repository_limits.h"
#include "http/exchange.h"
#include "io/address_policy.h"
#include "io/running_task.h"

namespace towline::control {

class AgentDoctor;

struct ControlPlaneOptions {
  /// Holds the database and the repositories; made when it is missing.
  std::string data_dir;
  /// postgresql://... or libpq's keywords: the database is there, and not in the data folder.
  std::optional<Secret> database_url;
  /// Where people find this server, "https://gitlab.example.com".
  std::string external_url;
  /// Where agents connect, "wss://gitlab.example.com/-/kubernetes-agent/".
  std::string kas_external_url;
  /// Base of the Kubernetes API proxy, "https://gitlab.example.com/-/kubernetes-agent/k8s-proxy/".
  std::string k8s_proxy_external_url;
  /// PEM of the CA that signed this server's certificate, when it is one that the server has made itself.
  std::string ca_certificate;
  /// Where clusters get the agent's image, without a tag; empty: where the chart says.
  std::string agent_image;
  /// For the addresses that users have this server dial.
  io::AddressPolicy outbound;
  RepositoryLimits limits;
  /// Used instead of random ones when the first start makes the user "root"; ignored later.
  std::optional<Secret> root_password;
  std::optional<Secret> root_token;
  /// After which tokens end that are made without saying when, and rows of the audit log; 0: never.
  std::chrono::days token_life{365};
  std::chrono::days audit_life{365};
  std::string version = TOWLINE_VERSION;
  Logger log;
  /// Must outlive the control plane.
  const Clock* clock = nullptr;
  /// Threads that run SQL and Git. Enough to keep two cores busy while some wait for the disk.
  std::size_t threads = 8;
};

/// What the very first start made, to be shown to whoever started it and to nobody else.
struct FirstStart {
  std::string username;
  Secret password;
  Secret token;  // with all scopes
};

/// The control plane: users, projects, Git repositories and agents, with their REST API and Git over HTTP.
/// One per data folder. The handlers and the backend may be used from any loop; stop the loops before
/// destroying it.
class ControlPlane {
 public:
  static Result<std::unique_ptr<ControlPlane>> open(ControlPlaneOptions options);
  ~ControlPlane();

  Backend& backend();
  /// Answers /api/v4/... and /api/graphql.
  http::RequestHandler& api();
  /// Answers /<full/path>.git/...
  http::RequestHandler& git();
  /// Whom the API asks about connected agents: before the first request. `doctor` outlives the requests.
  void set_agent_doctor(AgentDoctor& doctor);
  /// What its threads are at, for a Watchdog. From any thread.
  std::vector<io::RunningTask> running() const;
  /// Absent unless this start was the first.
  const std::optional<FirstStart>& first_start() const;

 private:
  struct Impl;
  explicit ControlPlane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace towline::control
