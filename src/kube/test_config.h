#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "io/loop.h"
#include "io/tls.h"
#include "kube/config.h"
#include "kube/environment.h"
#include "kube/test_files.h"

namespace towline::kube {

class FakeTls final : public io::TlsClientContext {};

/// A configuration from files in a folder, with TLS that only remembers what it was asked for.
class LoadConfig : public testing::Test {
 protected:
  LoadConfig() {
    environment_.variables["HOME"] = folder_.path("home");
    environment_.service_account_folder = folder_.path("sa");
    environment_.make_tls =
        [this](const io::TlsClientOptions& options) -> Result<std::shared_ptr<io::TlsClientContext>> {
      if (options.identity.certificate_chain == "broken") return fail(Code::kInvalidArgument, "no PEM");
      made_.push_back(options);
      return std::make_shared<FakeTls>();
    };
  }

  Result<ClusterConfig> load(const Overrides& overrides = {}) {
    return load_config(overrides, workers_, environment_);
  }
  Result<ClusterConfig> load_file(const std::string& text, Overrides overrides = {}) {
    overrides.kubeconfig = folder_.write("config", text);
    return load(overrides);
  }
  std::string error_of(const Result<ClusterConfig>& result) {
    if (result) return "no error";
    std::string text = result.error().message();
    for (auto at = text.find(folder_.path("")); at != std::string::npos; at = text.find(folder_.path(""))) {
      text.erase(at, folder_.path("").size());
    }
    return text;
  }
  std::string header(Credentials& credentials) {
    std::optional<Result<Authorization>> answer;
    credentials.authorization(loop_, [&](Result<Authorization> value) { answer = std::move(value); });
    if (!answer) return "no answer";
    return *answer ? (*answer)->header.reveal() : "error: " + answer->error().message();
  }
  std::string header(const Result<ClusterConfig>& config) {
    return config ? header(*config->credentials) : error_of(config);
  }
  void enter_pod() {
    environment_.variables["KUBERNETES_SERVICE_HOST"] = "10.0.0.1";
    environment_.variables["KUBERNETES_SERVICE_PORT"] = "443";
    folder_.write("sa/token", "pod-1\n");
    folder_.write("sa/ca.crt", "POD CA");
    folder_.write("sa/namespace", "pod-ns\n");
  }

  TestFolder folder_;
  Environment environment_;
  std::vector<io::TlsClientOptions> made_;
  FakeClock clock_;
  io::Loop loop_{clock_};
  io::WorkerPool workers_{1};
};

}  // namespace towline::kube
