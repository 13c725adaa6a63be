#include "cli/kubeconfig.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml-cpp/yaml.h>

#include "base/encoding.h"
#include "cli/files.h"
#include "cli/yaml_text.h"

namespace towline::cli {
namespace {

namespace fs = std::filesystem;

// The map `field` of the item called `name` in one of the file's lists; made when it is not there.
YAML::Node entry_of(YAML::Node root, const char* list, const std::string& name, const char* field) {
  YAML::Node items = root[list];
  if (!items.IsDefined() || items.IsNull()) root[list] = YAML::Node(YAML::NodeType::Sequence);
  items.reset(root[list]);
  if (!items.IsSequence()) throw YAML::Exception(items.Mark(), std::string(list) + " is not a list");
  YAML::Node found(YAML::NodeType::Map);
  bool exists = false;
  for (const auto& item : items) {
    if (exists || !item.IsMap() || !item["name"] || item["name"].as<std::string>("") != name) continue;
    found.reset(item);
    exists = true;
  }
  if (!exists) {
    found["name"] = quoted(name);
    items.push_back(found);
  }
  if (!found[field].IsDefined() || !found[field].IsMap()) found[field] = YAML::Node(YAML::NodeType::Map);
  return found[field];
}

void put_cluster(YAML::Node root, const KubeconfigEntry& entry) {
  YAML::Node cluster = entry_of(root, "clusters", entry.cluster, "cluster");
  cluster["server"] = quoted(entry.server);
  cluster.remove("certificate-authority");
  cluster.remove("certificate-authority-data");
  if (!entry.ca_pem.empty()) cluster["certificate-authority-data"] = quoted(base64_encode(entry.ca_pem));
}

void put_user(YAML::Node root, const KubeconfigEntry& entry) {
  YAML::Node user = entry_of(root, "users", entry.user, "user");
  YAML::Node exec(YAML::NodeType::Map);
  exec["apiVersion"] = quoted("client.authentication.k8s.io/v1");
  exec["command"] = quoted(entry.command);
  for (const std::string& each : entry.args) exec["args"].push_back(quoted(each));
  exec["interactiveMode"] = quoted("Never");
  exec["installHint"] =
      quoted("Install towline, the command line of the server that the cluster is reached through.");
  user["exec"] = exec;
}

Status put_context(YAML::Node root, const KubeconfigEntry& entry) {
  YAML::Node context = entry_of(root, "contexts", entry.context, "context");
  const std::string owner = context["cluster"] ? context["cluster"].as<std::string>("") : entry.cluster;
  if (owner != entry.cluster) {
    return {Code::kFailedPrecondition, "the context " + entry.context +
                                           " is there already and belongs to the cluster " + owner +
                                           ": give another name with --context"};
  }
  context["cluster"] = quoted(entry.cluster);
  context["user"] = quoted(entry.user);
  if (entry.use_context) root["current-context"] = quoted(entry.context);
  return {};
}

YAML::Node parse(const std::string& existing) {
  const std::vector<YAML::Node> documents = YAML::LoadAll(existing);
  if (documents.size() > 1) throw YAML::Exception(YAML::Mark::null_mark(), "it has several documents");
  YAML::Node root(YAML::NodeType::Map);
  if (!documents.empty() && !documents[0].IsNull()) root.reset(documents[0]);
  if (!root.IsMap()) throw YAML::Exception(YAML::Mark::null_mark(), "it is not a mapping");
  if (!root["apiVersion"]) root["apiVersion"] = "v1";
  if (!root["kind"]) root["kind"] = "Config";
  if (root["kind"].as<std::string>("") != "Config") {
    throw YAML::Exception(root["kind"].Mark(), "its kind is not Config");
  }
  return root;
}

// kubectl's own lock: a file beside the kubeconfig that exists while somebody changes it.
class KubectlLock {
 public:
  static Result<KubectlLock> take(const std::string& path) {
    const std::string name = path + ".lock";
    for (int tries = 0; tries < kTries; ++tries) {
      const Descriptor made(::open(name.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (made.get() >= 0) return KubectlLock(name);
      if (errno != EEXIST) {
        return fail(Code::kFailedPrecondition, errno_status(errno, "cannot make " + name).message());
      }
      ::usleep(kPauseMicroseconds);
    }
    return fail(Code::kFailedPrecondition,
                name + " is there, as while kubectl changes the file: when nothing does, remove it");
  }
  KubectlLock(KubectlLock&& other) noexcept : name_(std::move(other.name_)) { other.name_.clear(); }
  KubectlLock(const KubectlLock&) = delete;
  KubectlLock& operator=(const KubectlLock&) = delete;
  KubectlLock& operator=(KubectlLock&&) = delete;
  ~KubectlLock() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }

 private:
  static constexpr int kTries = 100;
  static constexpr useconds_t kPauseMicroseconds = 50'000;
  explicit KubectlLock(std::string name) : name_(std::move(name)) {}
  std::string name_;
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0600;
}

}  // namespace

Result<std::string> merge_kubeconfig(const std::string& existing, const KubeconfigEntry& entry) {
  try {
    YAML::Node root = parse(existing);
    put_cluster(root, entry);
    put_user(root, entry);
    if (Status status = put_context(root, entry); !status.ok()) return fail(status);
    return yaml_text(root);
  } catch (const YAML::Exception& error) {
    const std::string where =
        error.mark.is_null() ? "" : "line " + std::to_string(error.mark.line + 1) + ": ";
    return fail(Code::kFailedPrecondition, "it is not a kubeconfig: " + where + error.msg);
  }
}

Result<std::string> kubeconfig_path(const std::string& given, const std::string& kubeconfig_variable,
                                    const std::string& home) {
  if (!given.empty()) return given;
  std::string last;
  for (std::size_t start = 0; start < kubeconfig_variable.size();) {
    const auto end = std::min(kubeconfig_variable.find(':', start), kubeconfig_variable.size());
    const std::string path = kubeconfig_variable.substr(start, end - start);
    std::error_code error;
    if (!path.empty() && fs::exists(path, error)) return path;
    if (!path.empty()) last = path;
    start = end + 1;
  }
  if (!last.empty()) return last;
  if (home.empty())
    return fail(Code::kFailedPrecondition, "which kubeconfig? Give --kubeconfig, or set KUBECONFIG or HOME");
  return home + "/.kube/config";
}

Status update_kubeconfig_file(const std::string& path, const KubeconfigEntry& entry) {
  if (Status status = make_private_folder(fs::path(path).parent_path()); !status.ok()) return status;
  const auto lock = KubectlLock::take(path);
  if (!lock) return lock.error();
  const auto existing = read_if_exists(path);
  if (!existing) return existing.error();
  const auto merged = merge_kubeconfig(existing->value_or(""), entry);
  if (!merged) return merged.error().with_prefix(path);
  return write_atomically(path, *merged, mode_of(path));
}

}  // namespace towline::cli
