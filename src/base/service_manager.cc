#include "base/service_manager.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/files.h"

namespace towline {

Status tell_service_manager(std::string_view state) {
  const char* value = std::getenv("NOTIFY_SOCKET");
  if (value == nullptr) return {};
  const std::string_view name(value);
  const std::string prefix = "NOTIFY_SOCKET " + std::string(name);
  sockaddr_un address{};
  if (!name.starts_with('/') && !name.starts_with('@'))
    return Status(Code::kInvalidArgument, prefix + ": is neither a path nor an abstract name");
  if (name.size() >= sizeof address.sun_path) return Status(Code::kInvalidArgument, prefix + ": is too long");
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL, to, size) < 0)
    return errno_status(errno, prefix);
  return {};
}

}  // namespace towline
