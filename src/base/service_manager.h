#pragma once

#include <string_view>

#include "base/status.h"

namespace towline {

/// Tells the service manager that started this program about it ("READY=1", "STOPPING=1"), by the one
/// datagram of systemd's sd_notify(3), for which its library is not needed. Nothing where no manager asked
/// for it.
Status tell_service_manager(std::string_view state);

}  // namespace towline
