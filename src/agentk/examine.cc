#include "agentk/examine.h"

#include <cstdio>
#include <future>

#include "agentk/server_side.h"
#include "base/clock.h"
#include "base/url.h"
#include "io/dial.h"
#include "io/loop.h"
#include "kube/client.h"
#include "modules/doctor/agent/doctor.h"

namespace towline::agentk {
namespace {

doctor::ClusterSide cluster_side(const Result<kube::ClusterConfig>& cluster, kube::Client* client) {
  doctor::ClusterSide side{.problem = cluster ? Status() : cluster.error(),
                           .client = client,
                           .address = {},
                           .credentials = {},
                           .namespace_ = PodIdentity::from_environment().namespace_};
  if (cluster) {
    side.address = cluster->server.authority();
    side.credentials = cluster->origin;
  }
  return side;
}

}  // namespace

int examine(const Flags& flags) {
  const SystemClock clock;
  io::WorkerPool workers(1);
  const std::unique_ptr<io::Resolver> resolver = io::system_resolver();
  const std::unique_ptr<io::Dialer> dialer = io::direct_dialer(*resolver);
  const Result<kube::ClusterConfig> cluster = kube::load_config(flags.kube, workers);
  io::LoopGroup loops(1, clock);
  io::Loop& loop = loops.at(0);
  std::unique_ptr<kube::Client> client;
  std::unique_ptr<doctor::Doctor> doctor;
  std::promise<doctor::Report> examined;
  loop.post([&] {
    if (cluster) client = kube::make_client(loop, *dialer, *cluster, {}, {});
    doctor = doctor::Doctor::create(loop, server_side(flags, *resolver), cluster_side(cluster, client.get()));
    doctor->examine([&](const doctor::Report& report) { examined.set_value(report); });
  });
  const doctor::Report report = examined.get_future().get();
  loops.join();
  const std::string text = flags.doctor_json ? doctor::to_json(report) + "\n" : doctor::to_text(report);
  std::fputs(text.c_str(), stdout);
  return report.failure() == nullptr ? 0 : 1;
}

}  // namespace towline::agentk
