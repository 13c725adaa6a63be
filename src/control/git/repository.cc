#include "control/git/repository.h"

#include "control/git/handles.h"
#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

Signature signature_of(const git_signature* from) {
  return {from->name ? from->name : "", from->email ? from->email : "", from->when.time * 1000};
}

constexpr std::size_t kMaxTreeEntries = 100'000;  // one answer of tree()

std::string mode_text(git_filemode_t mode) {
  constexpr char kDigits[] = "01234567";
  std::string text(6, '0');
  for (std::size_t i = 0; i < 6; ++i) text[5 - i] = kDigits[(static_cast<unsigned>(mode) >> (3 * i)) & 7];
  return text;
}

}  // namespace

void start_library() {
  static const int once = [] {
    git_libgit2_init();
    for (const int level : {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL,
                            GIT_CONFIG_LEVEL_PROGRAMDATA}) {
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);  // the data folder may be a volume of another owner
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    return 0;
  }();
  (void)once;
}

Status git_status(int error, const std::string& what) {
  const git_error* last = git_error_last();
  const std::string why = last != nullptr && last->message != nullptr ? last->message : "unknown error";
  switch (error) {
    case GIT_ENOTFOUND:
      return {Code::kNotFound, what + ": not found"};
    case GIT_EEXISTS:
      return {Code::kAlreadyExists, what + ": exists already"};
    case GIT_EINVALIDSPEC:
    case GIT_EAMBIGUOUS:
      return {Code::kInvalidArgument, what + ": " + why};
    case GIT_ELOCKED:
    case GIT_EMODIFIED:
      return {Code::kAborted, what + ": changed by somebody else meanwhile"};
    default:
      return {Code::kInternal, "git: " + what + ": " + why};
  }
}

Repository::Repository(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Repository::Repository(Repository&&) noexcept = default;
Repository& Repository::operator=(Repository&&) noexcept = default;
Repository::~Repository() = default;

Result<Repository> Repository::open(const std::string& folder) {
  start_library();
  auto impl = std::make_unique<Impl>();
  const int error = git_repository_open_bare(out(impl->handle), folder.c_str());
  if (error != 0) return fail(git_status(error, "repository"));
  return Repository(std::move(impl));
}

Result<Repository> Repository::create(const std::string& folder, const std::string& default_branch) {
  start_library();
  auto impl = std::make_unique<Impl>();
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
  options.initial_head = default_branch.c_str();
  const int error = git_repository_init_ext(out(impl->handle), folder.c_str(), &options);
  if (error != 0) return fail(git_status(error, "repository"));
  return Repository(std::move(impl));
}

Result<CommitHandle> Repository::Impl::find_commit(const std::string& revision) const {
  // A branch wins over a tag of the same name, and both over an abbreviated id.
  for (const std::string& spec : {"refs/heads/" + revision, "refs/tags/" + revision, revision}) {
    ObjectHandle object;
    if (git_revparse_single(out(object), handle.get(), spec.c_str()) != 0) continue;
    ObjectHandle commit;
    const int error = git_object_peel(out(commit), object.get(), GIT_OBJECT_COMMIT);
    if (error != 0) return fail(Code::kNotFound, "\"" + revision + "\" is not a commit");
    return CommitHandle(reinterpret_cast<git_commit*>(commit.release()));
  }
  return fail(Code::kNotFound, "revision \"" + revision + "\" does not exist");
}

Result<TreeHandle> Repository::Impl::tree_of(git_commit* commit) const {
  TreeHandle tree;
  const int error = git_commit_tree(out(tree), commit);
  if (error != 0) return fail(git_status(error, "tree"));
  return tree;
}

Commit Repository::Impl::describe(git_commit* commit) {
  Commit result{.id = to_text(*git_commit_id(commit)),
                .message = git_commit_message(commit),
                .author = signature_of(git_commit_author(commit)),
                .committer = signature_of(git_commit_committer(commit))};
  for (unsigned i = 0; i < git_commit_parentcount(commit); ++i) {
    result.parents.push_back(to_text(*git_commit_parent_id(commit, i)));
  }
  return result;
}

Result<std::string> Repository::resolve(const std::string& revision) const {
  auto found = impl_->find_commit(revision);
  if (!found) return fail(found.error());
  return to_text(*git_commit_id(found->get()));
}

Result<std::optional<std::string>> Repository::branch_head(const std::string& branch) const {
  git_oid id;
  const int error = git_reference_name_to_id(&id, impl_->handle.get(), ("refs/heads/" + branch).c_str());
  if (error == GIT_ENOTFOUND) return std::nullopt;
  if (error != 0) return fail(git_status(error, "branch " + branch));
  return to_text(id);
}

Result<Commit> Repository::commit(const std::string& revision) const {
  auto found = impl_->find_commit(revision);
  if (!found) return fail(found.error());
  return Impl::describe(found->get());
}

Result<File> Repository::file(const std::string& revision, const std::string& path,
                              std::size_t max_size) const {
  auto commit = impl_->find_commit(revision);
  if (!commit) return fail(commit.error());
  auto tree = impl_->tree_of(commit->get());
  if (!tree) return fail(tree.error());
  TreeEntryHandle entry;
  int error = git_tree_entry_bypath(out(entry), tree->get(), path.c_str());
  if (error != 0 || git_tree_entry_type(entry.get()) != GIT_OBJECT_BLOB) {
    return fail(Code::kNotFound, "file \"" + path + "\" does not exist");
  }
  BlobHandle blob;
  error = git_blob_lookup(out(blob), impl_->handle.get(), git_tree_entry_id(entry.get()));
  if (error != 0) return fail(git_status(error, "file"));
  const auto size = static_cast<std::size_t>(git_blob_rawsize(blob.get()));
  if (size > max_size) {
    return fail(Code::kResourceExhausted,
                "file \"" + path + "\" is larger than " + std::to_string(max_size) + " bytes");
  }
  return File{.blob_id = to_text(*git_tree_entry_id(entry.get())),
              .content = std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())), size),
              .executable = git_tree_entry_filemode(entry.get()) == GIT_FILEMODE_BLOB_EXECUTABLE};
}

namespace {

TreeEntry describe_entry(const git_tree_entry* entry, const std::string& folder) {
  const char* name = git_tree_entry_name(entry);
  return {.id = to_text(*git_tree_entry_id(entry)),
          .name = name,
          .path = folder + name,
          .type = git_object_type2string(git_tree_entry_type(entry)),
          .mode = mode_text(git_tree_entry_filemode(entry))};
}

Status list_tree(git_repository* repository, git_tree* tree, const std::string& folder, bool recursive,
                 std::vector<TreeEntry>& entries) {
  for (std::size_t i = 0; i < git_tree_entrycount(tree); ++i) {
    if (entries.size() >= kMaxTreeEntries) return {};
    const git_tree_entry* entry = git_tree_entry_byindex(tree, i);
    entries.push_back(describe_entry(entry, folder));
    if (!recursive || git_tree_entry_type(entry) != GIT_OBJECT_TREE) continue;
    TreeHandle child;
    const int error = git_tree_lookup(out(child), repository, git_tree_entry_id(entry));
    if (error != 0) return git_status(error, "tree");
    const std::string path = entries.back().path + "/";
    if (Status status = list_tree(repository, child.get(), path, true, entries); !status.ok()) return status;
  }
  return {};
}

}  // namespace

Result<std::vector<TreeEntry>> Repository::tree(const std::string& revision, const std::string& path,
                                                bool recursive) const {
  auto commit = impl_->find_commit(revision);
  if (!commit) return fail(commit.error());
  auto tree = impl_->tree_of(commit->get());
  if (!tree) return fail(tree.error());
  std::string folder;
  if (!path.empty()) {
    TreeEntryHandle entry;
    TreeHandle child;
    int error = git_tree_entry_bypath(out(entry), tree->get(), path.c_str());
    if (error == 0) error = git_tree_lookup(out(child), impl_->handle.get(), git_tree_entry_id(entry.get()));
    if (error != 0) return fail(Code::kNotFound, "folder \"" + path + "\" does not exist");
    *tree = std::move(child);
    folder = path + "/";
  }
  std::vector<TreeEntry> entries;
  const Status status = list_tree(impl_->handle.get(), tree->get(), folder, recursive, entries);
  if (!status.ok()) return fail(status);
  return entries;
}

}  // namespace towline::control::git
