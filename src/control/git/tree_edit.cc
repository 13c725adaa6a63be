#include "control/git/tree_edit.h"

#include <string_view>

namespace towline::control::git {
namespace {

using Position = Edits::const_iterator;

// The edits of one folder: a range of the sorted paths, which all begin with the folder's own.
struct Range {
  Position begin;
  Position end;
  std::size_t prefix = 0;  // bytes of the folder's path, with the slash behind
};

std::string_view below(const std::string& path, std::size_t prefix) {
  return std::string_view(path).substr(prefix);
}

Status conflict(const std::string& name) {
  return {Code::kInvalidArgument, "\"" + name + "\" cannot be both a file and a folder"};
}

// Writes a folder and, by recursion as deep as check_file_path lets a path be, the folders in it.
class Editor {
 public:
  explicit Editor(const Repository::Impl& impl) : impl_(impl) {}

  /// The new tree, or nothing when no entry is left.
  Result<std::optional<git_oid>> edit(const git_tree* base, const Range& range) {
    TreeBuilderHandle builder;
    const int error = git_treebuilder_new(out(builder), impl_.handle.get(), base);
    if (error != 0) return fail(git_status(error, "tree"));
    // Deletions first, so that a folder may take the place of a file that goes.
    for (const Status& status : {edit_leaves(builder.get(), range, true), edit_folders(builder.get(), range),
                                 edit_leaves(builder.get(), range, false)}) {
      if (!status.ok()) return fail(status);
    }
    if (git_treebuilder_entrycount(builder.get()) == 0) return std::nullopt;
    auto made = write(builder.get());
    if (!made) return fail(made.error());
    return *made;
  }

  Result<git_oid> write_empty() {
    TreeBuilderHandle builder;
    const int error = git_treebuilder_new(out(builder), impl_.handle.get(), nullptr);
    if (error != 0) return fail(git_status(error, "tree"));
    return write(builder.get());
  }

 private:
  Result<git_oid> write(git_treebuilder* builder) {
    git_oid id;
    const int error = git_treebuilder_write(&id, builder);
    if (error != 0) return fail(git_status(error, "tree"));
    // Nobody could read a larger one again.
    if (Status status = impl_.admit(id, GIT_OBJECT_TREE, kMaxTree, "folder"); !status.ok())
      return fail(status);
    return id;
  }

  Status edit_leaves(git_treebuilder* builder, const Range& range, bool deletions) {
    for (Position at = range.begin; at != range.end; ++at) {
      const std::string_view rest = below(at->first, range.prefix);
      if (rest.find('/') != std::string_view::npos || at->second.has_value() == deletions) continue;
      if (Status status = edit_leaf(builder, std::string(rest), at->second); !status.ok()) return status;
    }
    return {};
  }

  static Status edit_leaf(git_treebuilder* builder, const std::string& name,
                          const std::optional<Leaf>& leaf) {
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

  Status edit_folders(git_treebuilder* builder, const Range& range) {
    for (Position at = range.begin; at != range.end;) {
      const std::string_view rest = below(at->first, range.prefix);
      const auto slash = rest.find('/');
      if (slash == std::string_view::npos) {
        ++at;
        continue;
      }
      const std::string_view start = rest.substr(0, slash + 1);
      Range folder{at, at, range.prefix + start.size()};
      while (folder.end != range.end && below(folder.end->first, range.prefix).starts_with(start))
        ++folder.end;
      if (Status status = edit_folder(builder, std::string(rest.substr(0, slash)), folder); !status.ok())
        return status;
      at = folder.end;
    }
    return {};
  }

  Status edit_folder(git_treebuilder* builder, const std::string& name, const Range& range) {
    const git_tree_entry* entry = git_treebuilder_get(builder, name.c_str());
    TreeHandle child;
    if (entry != nullptr) {
      if (git_tree_entry_type(entry) != GIT_OBJECT_TREE) return conflict(name);
      auto found = impl_.tree(*git_tree_entry_id(entry));
      if (!found) return found.error();
      child = std::move(*found);
    }
    auto edited = edit(child.get(), range);
    if (!edited) return edited.error();
    int error = 0;
    if (*edited) {
      error = git_treebuilder_insert(nullptr, builder, name.c_str(), &**edited, GIT_FILEMODE_TREE);
    } else if (entry != nullptr) {
      error = git_treebuilder_remove(builder, name.c_str());
    }
    return error == 0 ? Status() : git_status(error, "folder \"" + name + "\"");
  }

  const Repository::Impl& impl_;
};

}  // namespace

Result<git_oid> edit_tree(const Repository::Impl& impl, const git_tree* base, const Edits& edits) {
  Editor editor(impl);
  auto edited = editor.edit(base, {edits.begin(), edits.end()});
  if (!edited) return fail(edited.error());
  if (*edited) return **edited;
  return editor.write_empty();
}

}  // namespace towline::control::git
