// Listing folders, page by page.
#include <algorithm>

#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

/// Limit: entries of a folder that are counted beyond the page that is asked for; further ones leave the
/// answer without a total.
constexpr std::size_t kMaxCounted = 10'000;
/// Limit: entries of a recursive listing that are walked to get to a page; a later page is refused.
constexpr std::size_t kMaxEntries = 100'000;
/// Limit: bytes of memory that one listing's trees take to read, one after another; it is refused beyond, or
/// ends without a total.
constexpr std::size_t kMaxListingBytes = 256 * 1024 * 1024;

std::string mode_text(git_filemode_t mode) {
  constexpr char kDigits[] = "01234567";
  std::string text(6, '0');
  for (std::size_t i = 0; i < 6; ++i) text[5 - i] = kDigits[(static_cast<unsigned>(mode) >> (3 * i)) & 7];
  return text;
}

TreeEntry describe_entry(const git_tree_entry* entry, const std::string& folder) {
  const char* name = git_tree_entry_name(entry);
  return {.id = from_oid(*git_tree_entry_id(entry)),
          .name = name,
          .path = folder + name,
          .type = git_object_type2string(git_tree_entry_type(entry)),
          .mode = mode_text(git_tree_entry_filemode(entry))};
}

// A page that is being filled from what passes by.
class Filling {
 public:
  Filling(std::size_t skip, std::size_t limit) : skip_(skip), limit_(limit) {}

  void add(const git_tree_entry* entry, const std::string& folder) {
    const std::size_t at = passed_++;
    if (at < skip_) return;
    if (page_.entries.size() < limit_) {
      page_.entries.push_back(describe_entry(entry, folder));
    } else {
      page_.more = true;
    }
  }
  bool full() const { return page_.more; }
  std::size_t passed() const { return passed_; }
  /// When there is no more, or too much to count it.
  TreePage finish(bool all) {
    if (all) page_.total = static_cast<std::int64_t>(passed_);
    return std::move(page_);
  }

 private:
  std::size_t skip_;
  std::size_t limit_;
  std::size_t passed_ = 0;
  TreePage page_;
};

// One folder on the way from the root of a recursive listing to where it is.
struct Level {
  TreeHandle tree;
  std::size_t next = 0;
  std::size_t path_size = 0;  // of the path to it, with a slash behind
};

class Recursion {
 public:
  Recursion(const Repository::Impl& impl, Budget& budget, std::string folder)
      : impl_(impl), budget_(budget), folder_(std::move(folder)) {}

  Result<TreePage> list(TreeHandle root, Filling filling) {
    levels_.push_back({std::move(root), 0, folder_.size()});
    while (!levels_.empty()) {
      if (filling.full() && filling.passed() >= kMaxCounted) return filling.finish(false);
      if (filling.passed() >= kMaxEntries) {
        if (filling.full()) return filling.finish(false);
        return fail(Code::kResourceExhausted, "more than " + std::to_string(kMaxEntries) +
                                                  " entries come before this page: list a folder of it");
      }
      Level& level = levels_.back();
      folder_.resize(level.path_size);
      if (level.next == git_tree_entrycount(level.tree.get())) {
        levels_.pop_back();
        continue;
      }
      const git_tree_entry* entry = git_tree_entry_byindex(level.tree.get(), level.next++);
      filling.add(entry, folder_);
      if (git_tree_entry_type(entry) != GIT_OBJECT_TREE) continue;
      if (Status status = enter(entry); !status.ok()) {
        const bool spent = status.code() == Code::kResourceExhausted && budget_.bytes < kMaxTree;
        if (spent && filling.full()) return filling.finish(false);
        return fail(status);
      }
    }
    return filling.finish(true);
  }

 private:
  Status enter(const git_tree_entry* entry) {
    folder_ += git_tree_entry_name(entry);
    folder_ += '/';
    if (levels_.size() > kMaxDepth || folder_.size() > kMaxPath) {
      return {Code::kResourceExhausted, "there are folders more than " + std::to_string(kMaxDepth) +
                                            " deep or with paths of more than " + std::to_string(kMaxPath) +
                                            " bytes, which are not listed: list without recursive"};
    }
    auto child = impl_.tree(*git_tree_entry_id(entry), &budget_);
    if (!child) return child.error();
    levels_.push_back({std::move(*child), 0, folder_.size()});
    return {};
  }

  const Repository::Impl& impl_;
  Budget& budget_;
  std::string folder_;  // the path of the innermost level
  std::vector<Level> levels_;
};

}  // namespace

Result<TreePage> Repository::tree(const ObjectId& commit, const std::string& path, bool recursive,
                                  std::size_t skip, std::size_t limit) const {
  Budget budget{kMaxEntries, kMaxListingBytes};
  auto tree = impl_->folder_at(to_oid(commit), path, &budget);
  if (!tree) return fail(tree.error());
  const std::string folder = path.empty() ? "" : path + "/";
  if (recursive) return Recursion(*impl_, budget, folder).list(std::move(*tree), Filling(skip, limit));
  const std::size_t count = git_tree_entrycount(tree->get());
  TreePage page{.total = static_cast<std::int64_t>(count)};
  for (std::size_t i = skip; i < count && page.entries.size() < limit; ++i)
    page.entries.push_back(describe_entry(git_tree_entry_byindex(tree->get(), i), folder));
  page.more = skip < count && count - skip > limit;
  return page;
}

Result<TreePage> Repository::files_in_folders(const ObjectId& commit, const std::string& path,
                                              const std::string& name, std::size_t skip,
                                              std::size_t limit) const {
  Budget budget{kMaxEntries, kMaxListingBytes};
  auto tree = impl_->folder_at(to_oid(commit), path, &budget);
  if (!tree) return fail(tree.error());
  Filling filling(skip, limit);
  for (std::size_t i = 0; i < git_tree_entrycount(tree->get()); ++i) {
    if (filling.full() && i >= kMaxCounted) return filling.finish(false);
    const git_tree_entry* folder = git_tree_entry_byindex(tree->get(), i);
    if (git_tree_entry_type(folder) != GIT_OBJECT_TREE) continue;
    auto child = impl_->tree(*git_tree_entry_id(folder), &budget);
    if (!child && child.error().code() == Code::kResourceExhausted && filling.full())
      return filling.finish(false);
    if (!child) return fail(child.error());
    const git_tree_entry* file = git_tree_entry_byname(child->get(), name.c_str());
    if (file == nullptr || git_tree_entry_type(file) != GIT_OBJECT_BLOB) continue;
    filling.add(file, path + "/" + git_tree_entry_name(folder) + "/");
  }
  return filling.finish(true);
}

}  // namespace towline::control::git
