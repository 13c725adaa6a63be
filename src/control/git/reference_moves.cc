// The parts of Repository that look at references and move them.
#include <git2/transaction.h>

#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

using TransactionHandle = Handle<git_transaction, git_transaction_free>;

Status changed_by_others(const std::string& name) {
  return {Code::kAborted, "\"" + name + "\" was changed by somebody else meanwhile: fetch first"};
}

// Locks a reference and notes what becomes of it.
Status plan(git_repository* repository, git_transaction* transaction, const ReferenceChange& change) {
  int error = git_transaction_lock_ref(transaction, change.name.c_str());
  if (error == GIT_ELOCKED) return changed_by_others(change.name);
  if (error != 0) return git_status(error, change.name);
  const auto now = target_of(repository, change.name);
  if ((now ? from_oid(*now) : ObjectId()) != change.before) return changed_by_others(change.name);
  if (change.before == change.after) return {};
  const git_oid after = to_oid(change.after);
  error = change.after.is_null()
              ? git_transaction_remove(transaction, change.name.c_str())
              : git_transaction_set_target(transaction, change.name.c_str(), &after, nullptr, "move");
  return error == 0 ? Status() : git_status(error, change.name);
}

// All of them, or none.
Status move_together(git_repository* repository, std::span<const ReferenceChange> changes) {
  TransactionHandle transaction;
  int error = git_transaction_new(out(transaction), repository);
  if (error != 0) return git_status(error, "references");
  for (const ReferenceChange& change : changes) {
    if (Status status = plan(repository, transaction.get(), change); !status.ok()) return status;
  }
  error = git_transaction_commit(transaction.get());
  return error == 0 ? Status() : git_status(error, "references");
}

}  // namespace

std::optional<git_oid> target_of(git_repository* repository, const std::string& reference) {
  git_oid id;
  if (git_reference_name_to_id(&id, repository, reference.c_str()) != 0) return std::nullopt;
  return id;
}

std::vector<Status> Repository::move(std::span<const ReferenceChange> changes, bool atomic,
                                     ReferenceArbiter& arbiter) {
  git_repository* repository = impl_->handle.get();
  // The last moment at which nothing has happened yet.
  if (Status status = impl_->check(); !status.ok()) return std::vector<Status>(changes.size(), status);
  std::vector<Status> verdicts = arbiter.judge(*this, changes);
  if (!atomic) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (verdicts[i].ok()) verdicts[i] = move_together(repository, changes.subspan(i, 1));
    }
    return verdicts;
  }
  Status all;
  for (const Status& each : verdicts) {
    if (!each.ok()) all = Status(Code::kAborted, "another reference of this atomic push was refused");
  }
  if (all.ok()) all = move_together(repository, changes);
  for (Status& each : verdicts) {
    if (each.ok()) each = all;
  }
  return verdicts;
}

Status Repository::set_default_branch(const std::string& branch, ReferenceArbiter& arbiter) {
  if (Status status = arbiter.judge_default(*this, branch); !status.ok()) return status;
  const int error = git_repository_set_head(impl_->handle.get(), ("refs/heads/" + branch).c_str());
  return error == 0 ? Status() : git_status(error, "default branch");
}

bool Repository::has_object(const ObjectId& id, bool commit) const {
  const git_oid oid = to_oid(id);
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  if (git_odb_read_header(&size, &type, impl_->odb.get(), &oid) != 0) return false;
  return !commit || type == GIT_OBJECT_COMMIT;
}

Result<bool> Repository::goes_on_from(const ObjectId& commit, const ObjectId& ancestor) const {
  if (commit == ancestor) return true;
  const git_oid to = to_oid(commit);
  const git_oid from = to_oid(ancestor);
  const int found = git_graph_descendant_of(impl_->handle.get(), &to, &from);
  if (found < 0 && found != GIT_ENOTFOUND) return fail(git_status(found, "history"));
  return found == 1;
}

}  // namespace towline::control::git
