#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/openssl.h"
#include "io/testing_tls.h"

namespace towline::io {
namespace {

using ::testing::HasSubstr;

// An environment variable for the life of this object.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class SystemCaTest : public ::testing::Test {
 protected:
  SystemCaTest()
      : folder(std::filesystem::temp_directory_path() / ("system-ca-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder / "certs");
    setup.client_options.ca.clear();
  }
  ~SystemCaTest() override { std::filesystem::remove_all(folder); }

  void write(const std::filesystem::path& name, const std::string& text) {
    std::ofstream(folder / name) << text;
  }
  std::string shake() {
    return testing::shake(loop, testing::tcp_pair(loop), setup.client(), setup.server(), "kas.example.com",
                          {})
        .client_error();
  }
  std::string hashed_name() const {
    char name[16];
    const X509Ptr ca = parse_certificate(setup.ca.certificate_chain);
    std::snprintf(name, sizeof name, "%08lx.0",
                  X509_NAME_hash_ex(X509_get_subject_name(ca.get()), nullptr, nullptr, nullptr));
    return name;
  }

  SystemClock clock;
  Loop loop{clock};
  testing::TlsSetup setup;
  std::filesystem::path folder;
  Environment file{"SSL_CERT_FILE", folder / "bundle.pem"};
  Environment directory{"SSL_CERT_DIR", folder / "certs"};
};

TEST_F(SystemCaTest, FindsTheIssuerInTheBundle) {
  write("bundle.pem", make_ca("another").value().certificate_chain + setup.ca.certificate_chain);
  EXPECT_EQ(shake(), "");
}

TEST_F(SystemCaTest, ReadsTheBundleOnceAndOnlyWhenItIsNeeded) {
  const auto client = setup.client();
  write("bundle.pem", setup.ca.certificate_chain);  // after the context was made
  const auto with = [&](const std::string& name) {
    return testing::shake(loop, testing::tcp_pair(loop), client, setup.server(), name, {}).client_error();
  };
  EXPECT_EQ(with("kas.example.com"), "");
  write("bundle.pem", "");
  EXPECT_EQ(with("kas.example.com"), "");
}

TEST_F(SystemCaTest, FindsTheIssuerInAHashedDirectory) {
  write(std::filesystem::path("certs") / hashed_name(), setup.ca.certificate_chain);
  EXPECT_EQ(shake(), "");
}

TEST_F(SystemCaTest, DoesNotTrustWhatIsInNeither) {
  EXPECT_THAT(shake(), HasSubstr("the server's CA is not trusted"));
  write("bundle.pem", make_ca("another").value().certificate_chain);
  EXPECT_THAT(shake(), HasSubstr("the server's CA is not trusted"));
}

}  // namespace
}  // namespace towline::io
