#pragma once

#include <functional>
#include <memory>

#include "grpc/call.h"
#include "io/dial.h"
#include "modules/doctor/agent/cluster_checks.h"
#include "modules/doctor/agent/server_checks.h"
#include "modules/doctor/report.h"

namespace towline::doctor {

/// Examines an agent's connections. Lives on one loop. One examination runs at a time: who asks meanwhile
/// gets the same report.
class Doctor {
 public:
  using Examined = std::move_only_function<void(const Report& report)>;

  static std::unique_ptr<Doctor> create(io::Loop& loop, ServerSide server, ClusterSide cluster);
  virtual ~Doctor() = default;

  /// Calls back once on the loop, never from inside, after two minutes at most; not after the doctor is gone.
  virtual void examine(Examined done) = 0;
};

/// Doctor/Examine of doctor.proto, for the server that asks through a tunnel. `doctor` outlives the calls.
grpc::CallHandler examine_handler(Doctor& doctor);

}  // namespace towline::doctor
