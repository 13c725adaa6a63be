// Many agents in one process, for bench/agents: each connects as agentk does, follows its configuration,
// registers and keeps idle tunnels. Prints one line of JSON when all are connected, and ends when its
// standard input does.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/clock.h"
#include "grpc/server.h"
#include "io/dial.h"
#include "io/loop.h"
#include "io/tls.h"
#include "modules/configuration/agent/configuration.h"
#include "modules/registrar/agent/registration.h"
#include "proto/agentcfg.pb.h"
#include "proto/entity.pb.h"
#include "tunnel/agent/connector.h"
#include "tunnel/agent/tunnels.h"

namespace towline {
namespace {

// An address of the loopback network for this many agents: each gives another 28,000 local ports.
constexpr std::size_t kAgentsPerAddress = 20'000;
constexpr std::chrono::milliseconds kPoll{5};

struct Options {
  std::size_t agents = 0;
  std::size_t in_flight = 32;
  std::size_t idle_tunnels = 2;
  std::string token_file;
  std::string ca_file;
  std::string scheme = "wss";
  std::uint16_t port = 0;
};

struct Counts {
  std::size_t connections = 0;
  std::size_t lost = 0;
  std::size_t configured = 0;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class SimulatedSession;

struct Agent {
  std::unique_ptr<tunnel::Connector> connector;
  SimulatedSession* session = nullptr;  // of the newest connection
};

// What agentk runs on a connection, without a cluster behind it.
class SimulatedSession final : public tunnel::Session {
 public:
  SimulatedSession(io::Loop& loop, grpc::Channel& channel, const grpc::Server& methods,
                   const Options& options, std::int64_t pod, Agent& agent, Counts& counts)
      : agent_(agent), counts_(counts) {
    agent_.session = this;
    ::gitlab::agent::entity::AgentMeta meta;
    meta.set_version("v" TOWLINE_VERSION);
    meta.set_pod_namespace("bench");
    meta.set_pod_name("agent-" + std::to_string(pod));
    ++counts_.connections;
    follower_ = configuration::follow_configuration(
        loop, channel, std::make_shared<configuration::ConfigurationState>(), meta,
        [this](const auto&, const auto&) { configured(); }, Logger());
    registration_ = registrar::register_agent(loop, channel, meta, pod, Logger());
    tunnels_ = tunnel::start_tunnels(
        loop, channel, methods, {.min_idle = options.idle_tunnels, .step = options.idle_tunnels}, Logger());
  }
  ~SimulatedSession() override {
    ++counts_.lost;
    if (agent_.session == this) agent_.session = nullptr;
  }
  SimulatedSession(const SimulatedSession&) = delete;
  SimulatedSession& operator=(const SimulatedSession&) = delete;

  void drain(std::move_only_function<void()> drained) override { drained(); }
  bool ready() const { return configured_ && tunnels_->idle() > 0; }

 private:
  void configured() {
    if (!std::exchange(configured_, true)) ++counts_.configured;
  }

  Agent& agent_;
  Counts& counts_;
  bool configured_ = false;
  std::unique_ptr<configuration::ConfigurationFollower> follower_;
  std::unique_ptr<registrar::Registration> registration_;
  std::unique_ptr<tunnel::AgentTunnels> tunnels_;
};

// All agents, on one loop.
class Fleet {
 public:
  Fleet(io::Loop& loop, Options options) : loop_(loop), options_(std::move(options)) {
    std::istringstream lines(read_file(options_.token_file));
    for (std::string line; std::getline(lines, line);) tokens_.push_back(line);
    if (tokens_.empty()) throw std::runtime_error("no tokens");
    auto tls = io::TlsClientContext::create({.ca = read_file(options_.ca_file)});
    if (!tls) throw std::runtime_error(tls.error().message());
    tls_ = *tls;
    methods_.add("/gitlab.agent.kubernetes_api.rpc.KubernetesApi/MakeRequest", [](grpc::IncomingCall call) {
      call.call->finish(Status(Code::kUnimplemented, "this agent is simulated"));
    });
  }

  void start() {
    started_ = std::chrono::steady_clock::now();
    step();
  }

 private:
  // Keeps `in_flight` agents on their way, so that the server works all the time and no handshake times out.
  void step() {
    std::erase_if(connecting_,
                  [](const Agent* agent) { return agent->session != nullptr && agent->session->ready(); });
    while (connecting_.size() < options_.in_flight && agents_.size() < options_.agents) connect();
    if (connecting_.empty()) return report();
    timer_.start(kPoll);
  }

  void connect() {
    const std::size_t number = agents_.size();
    tunnel::ConnectorOptions options;
    const std::string host = "127.0.0." + std::to_string(1 + number / kAgentsPerAddress);
    const std::string path = options_.scheme.starts_with("ws") ? "/-/kubernetes-agent/" : "";
    options.address = tunnel::parse_server_address(options_.scheme + "://" + host + ":" +
                                                   std::to_string(options_.port) + path)
                          .value();
    options.tls = tls_;
    options.tls_server_name = "localhost";
    options.token = [token = Secret(tokens_[number % tokens_.size()])]() -> Result<Secret> { return token; };
    options.user_agent = "gitlab-agent/v" TOWLINE_VERSION "/bench";
    options.limits.streams = 0;
    Agent& agent = *agents_.emplace_back(std::make_unique<Agent>());
    agent.connector = tunnel::Connector::start(
        loop_, *dialer_, std::move(options),
        [this, &agent, number](grpc::Channel& channel) {
          return std::make_unique<SimulatedSession>(loop_, channel, methods_, options_,
                                                    static_cast<std::int64_t>(number) + 1, agent, counts_);
        },
        Logger::to_stderr(LogLevel::kWarn));
    connecting_.push_back(&agent);
  }

  void report() {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started_;
    std::printf(
        "{\"agents\": %zu, \"seconds\": %.3f, \"connections\": %zu, \"lost\": %zu, \"configured\": %zu}\n",
        agents_.size(), taken.count(), counts_.connections, counts_.lost, counts_.configured);
    std::fflush(stdout);
  }

  io::Loop& loop_;
  Options options_;
  Counts counts_;
  std::vector<std::string> tokens_;
  std::shared_ptr<io::TlsClientContext> tls_;
  std::unique_ptr<io::Resolver> resolver_ = io::system_resolver();
  std::unique_ptr<io::Dialer> dialer_ = io::direct_dialer(*resolver_);
  grpc::Server methods_;
  std::chrono::steady_clock::time_point started_;
  std::vector<std::unique_ptr<Agent>> agents_;
  std::vector<Agent*> connecting_;
  io::Timer timer_{loop_, [this] { step(); }};
};

int run(const Options& options) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const SystemClock clock;
  io::LoopGroup loops(1, clock);
  Fleet fleet(loops.at(0), options);
  loops.at(0).post([&] { fleet.start(); });
  // The parent closes our input when it has seen enough.
  for (std::string line; std::getline(std::cin, line);) {
  }
  // Not one by one: thousands of orderly goodbyes would measure nothing.
  std::quick_exit(0);
}

}  // namespace
}  // namespace towline

int main(int argc, char** argv) {
  CLI::App app("Simulated agents for bench/agents", "simulated_agents");
  towline::Options options;
  app.add_option("--agents", options.agents)->required();
  app.add_option("--port", options.port)->required();
  app.add_option("--token-file", options.token_file, "One agent token a line; agents take them in turn")
      ->required();
  app.add_option("--ca-file", options.ca_file)->required();
  app.add_option("--scheme", options.scheme)->check(CLI::IsMember({"wss", "grpcs"}));
  app.add_option("--in-flight", options.in_flight, "Agents that connect at once");
  app.add_option("--idle-tunnels", options.idle_tunnels, "Tunnels that each agent keeps");
  CLI11_PARSE(app, argc, argv);
  try {
    return towline::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
