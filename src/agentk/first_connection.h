#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"
#include "modules/doctor/agent/doctor.h"

namespace towline::agentk {

/// Sees to it that an agent which does not get its first connection says why. When the first attempt fails,
/// what the doctor finds is logged. When the server has not answered the agent within `limit` (zero: no
/// limit), it is asked again, and `give_up` gets what to tell. After the first success it does nothing any
/// more: an agent that was connected reconnects for ever. Lives on one loop; `doctor` outlives it.
class FirstConnection {
 public:
  using GiveUp = std::function<void(std::string explanation)>;

  FirstConnection(io::Loop& loop, doctor::Doctor& doctor, std::chrono::seconds limit, GiveUp give_up,
                  Logger log);

  void failed();
  void succeeded();

 private:
  void time_is_up();
  void say(const doctor::Report& report) const;

  doctor::Doctor& doctor_;
  const std::chrono::seconds limit_;
  GiveUp give_up_;
  Logger log_;
  io::Timer timer_;
  bool examined_ = false;
  bool succeeded_ = false;
};

}  // namespace towline::agentk
