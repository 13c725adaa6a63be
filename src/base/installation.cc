#include "base/installation.h"

#include "base/text.h"

namespace towline {
namespace {

// Of a namespace: an RFC 1123 label.
constexpr std::size_t kMaxNamespace = 63;
constexpr std::size_t kMaxRelease = 53;

}  // namespace

std::vector<std::string> installation_commands(const Installation& of) {
  const bool own_ca = !of.ca_file.empty();
  std::string upgrade =
      "helm upgrade --install " + fit_name(of.agent_name, kMaxRelease, of.agent_id) + " towline/gitlab-agent";
  const auto add = [&upgrade](const std::string& option) { upgrade += " \\\n    " + option; };
  add("--namespace " + fit_name("gitlab-agent-" + of.agent_name, kMaxNamespace, of.agent_id));
  add("--create-namespace");
  if (!of.image_repository.empty()) add("--set image.repository=" + of.image_repository);
  add("--set image.tag=v" + of.version);
  add("--set config.token=" + of.token);
  add("--set config.kasAddress=" + of.kas_address);
  if (own_ca) add("--set-file config.kasCaCert=" + of.ca_file);
  return {"helm repo add towline " + of.server_url + "/charts" + (own_ca ? " --ca-file " + of.ca_file : ""),
          "helm repo update", upgrade};
}

}  // namespace towline
