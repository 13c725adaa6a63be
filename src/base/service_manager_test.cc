#include "base/service_manager.h"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace towline {
namespace {

using ::testing::HasSubstr;

// What systemd is to a service; the name begins with '@' where it stands for no file.
class Manager {
 public:
  explicit Manager(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0) << name;
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() { unsetenv("NOTIFY_SOCKET"); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::string heard() const {
    std::array<char, 64> text{};
    const ssize_t n = ::recv(socket_.get(), text.data(), text.size(), 0);
    return n < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(n));
  }

 private:
  Descriptor socket_;
};

TEST(ServiceManager, HearsByAPathAndByAnAbstractName) {
  const std::string path = ::testing::TempDir() + "manager-" + std::to_string(getpid());
  for (const std::string& name : {path, "@towline-test-" + std::to_string(getpid())}) {
    const Manager manager(name);
    EXPECT_TRUE(tell_service_manager("READY=1").ok());
    EXPECT_EQ(manager.heard(), "READY=1");
    EXPECT_EQ(manager.heard(), "nothing");
  }
  std::filesystem::remove(path);
}

TEST(ServiceManager, NobodyIsToldWhereNobodyAsks) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(tell_service_manager("READY=1").ok());
}

TEST(ServiceManager, NamesTheSocketThatCannotBeUsed) {
  for (const std::string& name : {std::string("/nonexistent/socket"), std::string("vsock:2:1"),
                                  "/" + std::string(200, 'x'), std::string()}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const Status told = tell_service_manager("READY=1");
    EXPECT_FALSE(told.ok()) << name;
    EXPECT_THAT(told.message(), HasSubstr("NOTIFY_SOCKET " + name));
  }
  unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace towline
