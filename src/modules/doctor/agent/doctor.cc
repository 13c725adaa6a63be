#include "modules/doctor/agent/doctor.h"

#include <utility>
#include <vector>

#include "grpc/server.h"

namespace towline::doctor {
namespace {

class DoctorImpl final : public Doctor {
 public:
  DoctorImpl(io::Loop& loop, ServerSide server, ClusterSide cluster)
      : loop_(loop), server_(std::move(server)), cluster_(std::move(cluster)) {}

  void examine(Examined done) override {
    waiting_.push_back(std::move(done));
    if (waiting_.size() > 1) return;
    report_ = {.version = server_.agent_version,
               .pod_namespace = server_.pod_namespace,
               .pod_name = server_.pod_name,
               .checks = {}};
    checks_ = check_server(loop_, server_, [this](std::vector<Check> checks) {
      report_.checks = std::move(checks);
      checks_ = check_cluster(loop_, cluster_, [this](std::vector<Check> more) {
        for (Check& each : more) report_.checks.push_back(std::move(each));
        finish();
      });
    });
  }

 private:
  void finish() {
    std::vector<Examined> waiting = std::exchange(waiting_, {});
    const Report report = std::move(report_);
    for (Examined& each : waiting) each(report);
  }

  io::Loop& loop_;
  const ServerSide server_;
  const ClusterSide cluster_;
  Report report_;
  std::vector<Examined> waiting_;
  std::unique_ptr<io::Operation> checks_;
};

}  // namespace

std::unique_ptr<Doctor> Doctor::create(io::Loop& loop, ServerSide server, ClusterSide cluster) {
  return std::make_unique<DoctorImpl>(loop, std::move(server), std::move(cluster));
}

grpc::CallHandler examine_handler(Doctor& doctor) {
  return grpc::unary([&doctor](const std::string&, const grpc::Metadata&, io::Loop&, grpc::UnaryReply reply) {
    doctor.examine([reply = std::move(reply)](const Report& report) mutable { reply(to_message(report)); });
  });
}

}  // namespace towline::doctor
