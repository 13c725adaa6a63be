#include "control/git/tree_edit.h"

namespace towline::control::git {
namespace {

struct Level {
  Edits here;                            // names in this folder
  std::map<std::string, Edits> folders;  // edits below it
};

Level split(const Edits& edits) {
  Level level;
  for (const auto& [path, leaf] : edits) {
    const auto slash = path.find('/');
    if (slash == std::string::npos) {
      level.here.emplace(path, leaf);
    } else {
      level.folders[path.substr(0, slash)].emplace(path.substr(slash + 1), leaf);
    }
  }
  return level;
}

Status conflict(const std::string& name) {
  return {Code::kInvalidArgument, "\"" + name + "\" cannot be both a file and a folder"};
}

// The new tree, or nothing when no entry is left.
Result<std::optional<git_oid>> edit(git_repository* repository, const git_tree* base, const Edits& edits);

Status edit_folder(git_repository* repository, git_treebuilder* builder, const std::string& name,
                   const Edits& edits) {
  const git_tree_entry* entry = git_treebuilder_get(builder, name.c_str());
  TreeHandle child;
  if (entry != nullptr) {
    if (git_tree_entry_type(entry) != GIT_OBJECT_TREE) return conflict(name);
    const int error = git_tree_lookup(out(child), repository, git_tree_entry_id(entry));
    if (error != 0) return git_status(error, "folder");
  }
  auto edited = edit(repository, child.get(), edits);
  if (!edited) return edited.error();
  int error = 0;
  if (*edited) {
    error = git_treebuilder_insert(nullptr, builder, name.c_str(), &**edited, GIT_FILEMODE_TREE);
  } else if (entry != nullptr) {
    error = git_treebuilder_remove(builder, name.c_str());
  }
  return error == 0 ? Status() : git_status(error, "folder \"" + name + "\"");
}

Status edit_leaf(git_treebuilder* builder, const std::string& name, const std::optional<Leaf>& leaf) {
  const git_tree_entry* entry = git_treebuilder_get(builder, name.c_str());
  int error = 0;
  if (!leaf) {
    if (entry != nullptr) error = git_treebuilder_remove(builder, name.c_str());
  } else {
    if (entry != nullptr && git_tree_entry_type(entry) == GIT_OBJECT_TREE) return conflict(name);
    error = git_treebuilder_insert(nullptr, builder, name.c_str(), &leaf->id, leaf->mode);
  }
  return error == 0 ? Status() : git_status(error, "file \"" + name + "\"");
}

Result<std::optional<git_oid>> edit(git_repository* repository, const git_tree* base, const Edits& edits) {
  TreeBuilderHandle builder;
  int error = git_treebuilder_new(out(builder), repository, base);
  if (error != 0) return fail(git_status(error, "tree"));
  const Level level = split(edits);
  // Deletions first, so that a folder may take the place of a file that goes.
  for (const bool deletions : {true, false}) {
    for (const auto& [name, leaf] : level.here) {
      if (leaf.has_value() == deletions) continue;
      if (Status status = edit_leaf(builder.get(), name, leaf); !status.ok()) return fail(status);
    }
    if (!deletions) break;
    for (const auto& [name, below] : level.folders) {
      if (Status status = edit_folder(repository, builder.get(), name, below); !status.ok())
        return fail(status);
    }
  }
  if (git_treebuilder_entrycount(builder.get()) == 0) return std::nullopt;
  git_oid id;
  error = git_treebuilder_write(&id, builder.get());
  if (error != 0) return fail(git_status(error, "tree"));
  return id;
}

}  // namespace

Result<git_oid> edit_tree(git_repository* repository, const git_tree* base, const Edits& edits) {
  auto edited = edit(repository, base, edits);
  if (!edited) return fail(edited.error());
  if (*edited) return **edited;
  TreeBuilderHandle empty;
  git_oid id;
  int error = git_treebuilder_new(out(empty), repository, nullptr);
  if (error == 0) error = git_treebuilder_write(&id, empty.get());
  if (error != 0) return fail(git_status(error, "tree"));
  return id;
}

}  // namespace towline::control::git
