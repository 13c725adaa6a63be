#include "control/git/repository.h"

#include <algorithm>

#include "control/git/repository_impl.h"

namespace towline::control::git {

Repository::Repository(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Repository::Repository(Repository&&) noexcept = default;
Repository& Repository::operator=(Repository&&) noexcept = default;
Repository::~Repository() = default;

Result<Repository> Repository::open(const std::string& folder, InterruptPtr interrupt) {
  start_library();
  auto impl = std::make_unique<Impl>();
  impl->interrupt = std::move(interrupt);
  int error = git_repository_open_bare(out(impl->handle), folder.c_str());
  if (error == 0) error = git_repository_odb(out(impl->odb), impl->handle.get());
  if (error != 0) return fail(git_status(error, "repository"));
  return Repository(std::move(impl));
}

Result<Repository> Repository::create(const std::string& folder, const std::string& default_branch) {
  start_library();
  if (Status status = check_branch_name(default_branch); !status.ok()) return fail(status);
  auto impl = std::make_unique<Impl>();
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
  options.initial_head = default_branch.c_str();
  int error = git_repository_init_ext(out(impl->handle), folder.c_str(), &options);
  if (error == 0) error = git_repository_odb(out(impl->odb), impl->handle.get());
  if (error != 0) return fail(git_status(error, "repository"));
  return Repository(std::move(impl));
}

Result<Commit> Repository::commit(const ObjectId& id, Detail detail) const {
  auto found = impl_->commit(to_oid(id));
  if (!found) return fail(found.error());
  return describe(found->get(), detail);
}

Result<File> Repository::file(const ObjectId& commit, const std::string& path, std::size_t max_size) const {
  max_size = std::min(max_size, kMaxFile);
  auto root = impl_->folder_at(to_oid(commit), "");
  if (!root) return fail(root.error());
  auto entry = impl_->entry_at(root->get(), path);
  const bool none = !entry && entry.error().code() == Code::kNotFound;
  if (none || (entry && git_tree_entry_type(entry->get()) != GIT_OBJECT_BLOB))
    return fail(Code::kNotFound, "file \"" + shown(path) + "\" does not exist");
  if (!entry) return fail(entry.error());
  const git_oid id = *git_tree_entry_id(entry->get());
  if (Status status = impl_->admit(id, GIT_OBJECT_BLOB, max_size, "file"); !status.ok()) {
    if (status.code() != Code::kResourceExhausted) return fail(status);
    return fail(Code::kResourceExhausted,
                "file \"" + shown(path) + "\" is larger than " + std::to_string(max_size) + " bytes");
  }
  BlobHandle blob;
  const Allowance allowance;
  if (const int error = git_blob_lookup(out(blob), impl_->handle.get(), &id); error != 0)
    return fail(git_status(error, "file \"" + shown(path) + "\""));
  const auto size = static_cast<std::size_t>(git_blob_rawsize(blob.get()));
  return File{.blob_id = from_oid(id),
              .content = std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())), size),
              .executable = git_tree_entry_filemode(entry->get()) == GIT_FILEMODE_BLOB_EXECUTABLE};
}

}  // namespace towline::control::git
