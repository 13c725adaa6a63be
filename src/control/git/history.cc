// Walking the history.
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

/// Limit: commits that one walk through a history looks at; what lies beyond is not found.
constexpr std::size_t kMaxWalked = 20'000;
/// Limit: bytes of memory that one walk's commits take to read, one after another; what lies beyond is not
/// found.
constexpr std::size_t kMaxCommitBytes = 128 * 1024 * 1024;
/// Limit: trees that one walk reads to follow a path; what lies beyond is not found.
constexpr std::size_t kMaxTrees = 40'000;
/// Limit: bytes of memory that those trees take to read, one after another; what lies beyond is not found.
constexpr std::size_t kMaxTreeBytes = 256 * 1024 * 1024;
/// Limit: commits that are counted beyond the page that is asked for; further ones leave the answer without a
/// total.
constexpr std::size_t kMaxCounted = 10'000;

using Id = std::optional<ObjectId>;  // nothing: there is no such object

// Commits from one back, the newest first. Not in topological order, for which the whole history would have
// to be read before the first commit is known. By hand, because libgit2's walker inflates parents unseen.
class Walk {
 public:
  explicit Walk(const Repository::Impl& impl) : impl_(impl) {}

  Status begin(const git_oid& from) { return add(from); }
  /// Null at the end. RESOURCE_EXHAUSTED beyond the limits.
  Result<CommitHandle> next() {
    if (!ended_.ok()) return fail(ended_);
    if (queue_.empty()) return CommitHandle();
    const git_oid id = queue_.top().id;
    queue_.pop();
    auto commit = impl_.commit(id);
    if (!commit) return commit;
    for (unsigned i = 0; i < git_commit_parentcount(commit->get()); ++i) {
      ended_ = add(*git_commit_parent_id(commit->get(), i));
      if (!ended_.ok()) break;
    }
    return commit;
  }

 private:
  struct Waiting {
    git_time_t time;
    std::size_t number;  // of commits of the same second the one that was seen first
    git_oid id;
    bool operator<(const Waiting& other) const {
      return time != other.time ? time < other.time : number > other.number;
    }
  };

  Status add(const git_oid& id) {
    if (!seen_.insert(from_oid(id)).second) return {};
    auto commit = impl_.commit(id, &budget_);
    if (!commit) return commit.error();
    queue_.push({git_commit_time(commit->get()), seen_.size(), id});
    return {};
  }

  const Repository::Impl& impl_;
  Budget budget_{kMaxWalked, kMaxCommitBytes};
  std::priority_queue<Waiting> queue_;
  std::unordered_set<ObjectId, ObjectIdHash> seen_;
  Status ended_;  // why there is no commit behind the last one
};

// Whether commits change what is at a path. Remembers what it saw in each tree, since most trees on the way
// to the path are the same in many commits.
class Follower {
 public:
  Follower(const Repository::Impl& impl, const std::string& path) : impl_(impl) {
    std::size_t at = 0;
    while (at <= path.size()) {
      const auto end = std::min(path.find('/', at), path.size());
      names_.push_back(path.substr(at, end - at));
      at = end + 1;
    }
    known_.resize(names_.size());
  }

  /// A commit changes a path when it differs there from each of its parents; so a merge that takes one side
  /// does not.
  Result<bool> changes(git_commit* commit) {
    const ObjectId root = from_oid(*git_commit_tree_id(commit));
    const unsigned parents = git_commit_parentcount(commit);
    for (unsigned i = 0; i < parents; ++i) {
      auto parent = impl_.commit(*git_commit_parent_id(commit, i));
      if (!parent) return fail(parent.error());
      auto same = same_below(root, from_oid(*git_commit_tree_id(parent->get())));
      if (!same) return fail(same.error());
      if (*same) return false;
    }
    if (parents > 0) return true;
    auto found = same_below(root, std::nullopt);
    if (!found) return fail(found.error());
    return !*found;
  }

 private:
  /// Goes down only as far as the two trees differ.
  Result<bool> same_below(Id a, Id b) {
    for (std::size_t level = 0; level < names_.size() && a != b; ++level) {
      for (Id* each : {&a, &b}) {
        if (!*each) continue;
        auto below = entry(level, **each);
        if (!below) return fail(below.error());
        *each = *below;
      }
    }
    return a == b;
  }
  Result<Id> entry(std::size_t level, const ObjectId& tree) {
    const auto known = known_[level].find(tree);
    if (known != known_[level].end()) return known->second;
    auto opened = impl_.tree(to_oid(tree), &budget_);
    if (!opened) return fail(opened.error());
    const git_tree_entry* entry = git_tree_entry_byname(opened->get(), names_[level].c_str());
    Id found;
    const bool last = level + 1 == names_.size();
    if (entry != nullptr && (last || git_tree_entry_type(entry) == GIT_OBJECT_TREE))
      found = from_oid(*git_tree_entry_id(entry));
    known_[level].emplace(tree, found);
    return found;
  }

  const Repository::Impl& impl_;
  Budget budget_{kMaxTrees, kMaxTreeBytes};
  std::vector<std::string> names_;
  std::vector<std::unordered_map<ObjectId, Id, ObjectIdHash>> known_;  // by level: what a tree has there
};

}  // namespace

Result<Repository::Log> Repository::log(const ObjectId& from, const std::string& path, std::size_t skip,
                                        std::size_t limit) const {
  if (Status status = check_path(path); !status.ok()) return fail(status);
  Walk walk(*impl_);
  if (Status status = walk.begin(to_oid(from)); !status.ok()) return fail(status);
  Follower follower(*impl_, path);
  Log log;
  std::size_t passed = 0;
  const auto ended = [&](const Status& why) -> Result<Log> {
    // What was found within the limits stands; only an interruption leaves nobody to tell.
    if (why.code() == Code::kResourceExhausted) return log;
    return fail(why);
  };
  for (std::size_t walked = 0; !log.more || walked < kMaxCounted; ++walked) {
    auto commit = walk.next();
    if (!commit) return ended(commit.error());
    if (*commit == nullptr) {
      log.total = static_cast<std::int64_t>(passed);
      return log;
    }
    auto listed = path.empty() ? true : follower.changes(commit->get());
    if (!listed) return ended(listed.error());
    if (!*listed) continue;
    const std::size_t at = passed++;
    if (at < skip) continue;
    if (log.commits.size() < limit) {
      log.commits.push_back(describe(commit->get(), Detail::kListed));
    } else {
      log.more = true;
    }
  }
  return log;
}

Result<ObjectId> Repository::last_commit_of(const ObjectId& from, const std::string& path) const {
  if (Status status = check_path(path); !status.ok()) return fail(status);
  Walk walk(*impl_);
  if (Status status = walk.begin(to_oid(from)); !status.ok()) return fail(status);
  Follower follower(*impl_, path);
  ObjectId last = from;
  while (true) {
    auto commit = walk.next();
    auto changed = commit && *commit != nullptr ? follower.changes(commit->get()) : Result<bool>(true);
    for (const Status& status : {commit ? Status() : commit.error(), changed ? Status() : changed.error()}) {
      if (status.ok()) continue;
      if (status.code() == Code::kResourceExhausted) return last;
      return fail(status);
    }
    if (*commit == nullptr) return last;
    last = from_oid(*git_commit_id(commit->get()));
    if (*changed) return last;
  }
}

}  // namespace towline::control::git
