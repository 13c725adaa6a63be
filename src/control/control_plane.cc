#include "control/control_plane.h"

#include <filesystem>
#include <sys/stat.h>
#include <utility>

#include "base/encoding.h"
#include "control/api/api.h"
#include "control/api_service.h"
#include "control/domain/accounts.h"
#include "control/domain/configurations.h"
#include "control/domain/core.h"
#include "control/domain/credentials.h"
#include "control/domain/events.h"
#include "control/domain/usage.h"
#include "control/domain/vault.h"
#include "control/git/repository_store.h"
#include "control/git_http/git_http.h"
#include "control/graphql/endpoint.h"
#include "control/local_backend.h"
#include "control/store/agent_event_table.h"
#include "control/store/database.h"
#include "control/store/user_table.h"
#include "http/simple.h"
#include "io/fair_pool.h"
#include "io/loop.h"

namespace towline::control {
namespace {

// Looking up a token takes a moment: few threads do it for thousands.
constexpr std::size_t kDoorThreads = 3;
/// Limit: log-ins whose passwords are hashed at once, 19 MiB each; over it they wait for their turn.
constexpr std::size_t kLogInThreads = 2;

constexpr const char* kRoot = "root";
/// Limit: characters that root's access token has at least when its text is given; a shorter one is refused.
constexpr std::size_t kMinRootToken = 20;

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// Secrets lie in it: nobody else may look.
Status make_data_dir(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path + "/repositories", error);
  if (error) return {Code::kInternal, "data folder " + path + ": " + error.message()};
  if (::chmod(path.c_str(), S_IRWXU) != 0) return errno_status(errno, "data folder " + path);
  return {};
}

constexpr const char* kFirstStartDone = "first_start_done";

Result<std::int64_t> make_root_user(Core& core, const Secret& password) {
  auto existing = core.db.read([](soci::session& sql) { return UserTable(sql).by_username(kRoot); });
  if (!existing) return fail(existing.error());
  if (!*existing) {
    auto user = Accounts(core).create_user({.username = kRoot,
                                            .name = "Administrator",
                                            .email = "admin@example.com",
                                            .password = password,
                                            .admin = true});
    if (!user) return fail(user.error());
    return user->id;
  }
  // A first start that was interrupted: nobody has seen the password it made.
  const std::int64_t id = (*existing)->id;
  auto hash = hash_password(password);
  if (!hash) return fail(hash.error());
  const Status status =
      core.db.write([&](soci::session& sql) { UserTable(sql).set_password_hash(id, *hash); });
  if (!status.ok()) return fail(status);
  return id;
}

Result<std::optional<FirstStart>> make_root(Core& core, ControlPlaneOptions& options) {
  auto done = core.db.read([](soci::session& sql) { return SettingTable(sql).get(kFirstStartDone); });
  if (!done) return fail(done.error());
  if (*done) return std::nullopt;
  if (options.root_token && options.root_token->reveal().size() < kMinRootToken) {
    return fail(Code::kInvalidArgument, "the access token for root has fewer than " +
                                            std::to_string(kMinRootToken) +
                                            " characters: it could be guessed");
  }
  FirstStart first{.username = kRoot,
                   .password = options.root_password ? std::move(*options.root_password)
                                                     : Secret(base64url_encode(random_bytes(24)))};
  auto user_id = make_root_user(core, first.password);
  if (!user_id) return fail(user_id.error().with_prefix("first start"));
  const std::vector<std::string> scopes(kScopes.begin(), kScopes.end());
  auto token = Accounts(core).create_token({.user_id = *user_id, .name = "first start", .scopes = scopes},
                                           std::move(options.root_token));
  if (!token) return fail(token.error().with_prefix("first start"));
  first.token = std::move(token->value);
  const Status status =
      core.db.write([](soci::session& sql) { SettingTable(sql).set(kFirstStartDone, "1"); });
  if (!status.ok()) return fail(status);
  return first;
}

}  // namespace

struct ControlPlane::Impl {
  Impl(std::unique_ptr<Database> database, Vault key, const ControlPlaneOptions& options)
      : db(std::move(database)),
        vault(std::move(key)),
        repositories(options.data_dir + "/repositories", options.limits),
        usage(*db, *options.clock, options.log),
        configurations(core),
        core{*db,
             repositories,
             events,
             usage,
             configurations,
             vault,
             *options.clock,
             options.log,
             options.version,
             without_slash(options.external_url),
             options.kas_external_url,
             options.k8s_proxy_external_url,
             options.ca_certificate,
             options.agent_image,
             options.outbound},
        api(core),
        graphql(core, api.guard()),
        door(std::make_unique<io::FairPool>(kDoorThreads)),
        pool(std::make_unique<io::FairPool>(options.threads)),
        log_in_pool(std::make_unique<io::FairPool>(
            kLogInThreads, io::FairPool::Limits{.running_of_strangers = kLogInThreads})),
        backend(core, *door, *pool),
        api_service(api, graphql, {*door, *pool, *log_in_pool}),
        api_handler(http::handle_with(api_service)),
        git_handler(git_http::make_handler(core, *pool)) {
    core.token_life = std::chrono::milliseconds(options.token_life).count();
    usage.keep_audit(std::chrono::milliseconds(options.audit_life).count());
  }

  // Tasks of the pool end before anything they use goes.
  ~Impl() {
    door.reset();
    pool.reset();
    log_in_pool.reset();
  }

  std::unique_ptr<Database> db;
  Vault vault;
  git::RepositoryStore repositories;
  EventHub events;
  UsageRecorder usage;
  Configurations configurations;  // keeps a reference to `core` and looks at it when asked
  Core core;
  api::Api api;
  graphql::Endpoint graphql;
  std::optional<FirstStart> first_start;
  std::unique_ptr<io::FairPool> door;  // says who comes: nobody's work keeps anybody waiting there
  std::unique_ptr<io::FairPool> pool;
  std::unique_ptr<io::FairPool> log_in_pool;
  LocalBackend backend;
  ApiService api_service;
  std::unique_ptr<http::RequestHandler> api_handler;
  std::unique_ptr<http::RequestHandler> git_handler;
};

ControlPlane::ControlPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlPlane::~ControlPlane() = default;

Result<std::unique_ptr<ControlPlane>> ControlPlane::open(ControlPlaneOptions options) {
  static const SystemClock kSystemClock;
  if (options.clock == nullptr) options.clock = &kSystemClock;
  // Git runs in the repositories' own folders: nothing that it is told may depend on ours.
  std::error_code error;
  options.data_dir = std::filesystem::absolute(options.data_dir, error).string();
  if (error) return fail(Code::kInternal, "data folder " + options.data_dir + ": " + error.message());
  if (Status status = make_data_dir(options.data_dir); !status.ok()) return fail(status);
  // Each thread of the pools has a connection, and so has the one that records use.
  const std::size_t threads = options.threads + kDoorThreads + kLogInThreads + 1;
  auto db = Database::open({.path = options.data_dir + "/towline.db",
                            .url = std::move(options.database_url),
                            .connections = static_cast<int>(threads),
                            .log = options.log});
  if (!db) return fail(db.error());
  auto vault = Vault::open(options.data_dir + "/secret.key");
  if (!vault) return fail(vault.error());
  // The connections that it knows of ended with the servers that held them.
  if ((*db)->was_free()) {
    const Status cleared =
        (*db)->write_quietly([](soci::session& sql) { AgentConnectionTable(sql).remove_all(); });
    if (!cleared.ok()) return fail(cleared);
  }
  auto impl = std::make_unique<Impl>(std::move(*db), std::move(*vault), options);
  const Status rooted = impl->db->alone("first start", [&]() -> Status {
    auto first = make_root(impl->core, options);
    if (!first) return first.error();
    impl->first_start = std::move(*first);
    return {};
  });
  if (!rooted.ok()) return fail(rooted);
  return std::unique_ptr<ControlPlane>(new ControlPlane(std::move(impl)));
}

Backend& ControlPlane::backend() { return impl_->backend; }
http::RequestHandler& ControlPlane::api() { return *impl_->api_handler; }
http::RequestHandler& ControlPlane::git() { return *impl_->git_handler; }
void ControlPlane::set_agent_doctor(AgentDoctor& doctor) { impl_->core.agent_doctor = &doctor; }
std::vector<io::RunningTask> ControlPlane::running() const { return impl_->pool->running(); }
const std::optional<FirstStart>& ControlPlane::first_start() const { return impl_->first_start; }

}  // namespace towline::control
