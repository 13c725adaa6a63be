#include "control/git/repository_store.h"

#include <filesystem>

#include "base/encoding.h"

namespace towline::control::git {

std::string RepositoryStore::relative_path(std::int64_t project_id) {
  const std::string digest = sha256_hex(std::to_string(project_id));
  return "@hashed/" + digest.substr(0, 2) + "/" + digest.substr(2, 2) + "/" + digest + ".git";
}

Result<Repository> RepositoryStore::create(std::int64_t project_id, const std::string& default_branch) const {
  return Repository::create(root() + "/" + relative_path(project_id), default_branch);
}

Result<Repository> RepositoryStore::open(std::int64_t project_id, InterruptPtr interrupt) const {
  return Repository::open(root() + "/" + relative_path(project_id), std::move(interrupt));
}

Status RepositoryStore::remove(std::int64_t project_id) const {
  std::error_code error;
  std::filesystem::remove_all(root() + "/" + relative_path(project_id), error);
  if (error) return {Code::kInternal, "repository: " + error.message()};
  return {};
}

std::unique_lock<std::mutex> RepositoryStore::committing(std::int64_t project_id) {
  return std::unique_lock(mutexes_[static_cast<std::size_t>(project_id) % mutexes_.size()]);
}

}  // namespace towline::control::git
