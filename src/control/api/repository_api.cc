#include <boost/json.hpp>

#include "control/api/commits.h"
#include "control/api/respond.h"
#include "control/domain/contents.h"
#include "control/utf8.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

struct Opened {
  FoundProject in;
  git::Repository repository;
};

Result<Opened> open(Context& context, Role needed) {
  auto found = needed == Role::kNone ? find_code(context) : find_project(context, needed);
  if (!found) return fail(found.error());
  auto repository = Contents(context.core).open(found->project, context.request.interrupt);
  if (!repository) return fail(repository.error());
  return Opened{std::move(*found), std::move(*repository)};
}

json::object render(const Core& core, const Project& project, const git::Commit& commit) {
  json::array parents;
  for (const git::ObjectId& parent : commit.parents) parents.emplace_back(parent.to_text());
  const std::string id = commit.id.to_text();
  return {{"id", id},
          {"short_id", id.substr(0, 8)},
          {"created_at", json_time(commit.committer.time)},
          {"parent_ids", std::move(parents)},
          {"title", to_utf8(commit.title())},
          {"message", to_utf8(commit.message)},
          {"author_name", to_utf8(commit.author.name)},
          {"author_email", to_utf8(commit.author.email)},
          {"authored_date", json_time(commit.author.time)},
          {"committer_name", to_utf8(commit.committer.name)},
          {"committer_email", to_utf8(commit.committer.email)},
          {"committed_date", json_time(commit.committer.time)},
          {"web_url", core.external_url + "/" + project.full_path + "/-/commit/" + id}};
}

std::size_t offset_of(Page page) { return static_cast<std::size_t>(page.offset()); }
std::size_t size_of(Page page) { return static_cast<std::size_t>(page.size); }

Result<http::Response> list_tree(Context& context) {
  auto opened = open(context, Role::kNone);
  if (!opened) return fail(opened.error());
  const std::string ref = context.params.text_or("ref", opened->in.project.default_branch);
  std::string path = context.params.text_or("path", "");
  const bool recursive = context.params.flag("recursive");
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  while (path.ends_with('/')) path.pop_back();
  auto commit = opened->repository.resolve(ref);
  auto tree = commit ? opened->repository.tree(*commit, path, recursive, offset_of(page), size_of(page))
                     : fail(commit.error());
  if (!tree && tree.error().code() == Code::kNotFound) return fail(Code::kNotFound, "404 Tree Not Found");
  if (!tree) return fail(tree.error());
  json::array items;
  for (const git::TreeEntry& entry : tree->entries) {
    items.emplace_back(json::object{{"id", entry.id.to_text()},
                                    {"name", to_utf8(entry.name)},
                                    {"type", entry.type},
                                    {"path", to_utf8(entry.path)},
                                    {"mode", entry.mode}});
  }
  return list_response(context, page, tree->total, tree->more, std::move(items));
}

Result<json::object> render_branch(Context& context, const Opened& opened, const git::Branch& branch) {
  auto commit = opened.repository.commit(branch.commit_id, git::Detail::kListed);
  if (!commit) return fail(commit.error());
  const Project& project = opened.in.project;
  return json::object{
      {"name", branch.name},
      {"commit", render(context.core, project, *commit)},
      {"merged", false},
      {"protected", false},
      {"developers_can_push", opened.in.role >= Role::kDeveloper},
      {"developers_can_merge", opened.in.role >= Role::kDeveloper},
      {"can_push", opened.in.role >= Role::kDeveloper},
      {"default", branch.name == project.default_branch},
      {"web_url", context.core.external_url + "/" + project.full_path + "/-/tree/" + branch.name}};
}

Result<http::Response> list_branches(Context& context) {
  auto opened = open(context, Role::kNone);
  if (!opened) return fail(opened.error());
  const std::string search = context.params.text_or("search", "");
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto branches = opened->repository.branches(search, offset_of(page), size_of(page));
  if (!branches) return fail(branches.error());
  json::array items;
  for (const git::Branch& branch : branches->branches) {
    auto rendered = render_branch(context, *opened, branch);
    if (!rendered) return fail(rendered.error());
    items.emplace_back(std::move(*rendered));
  }
  return list_response(context, page, branches->total, std::move(items));
}

Result<http::Response> get_branch(Context& context) {
  auto opened = open(context, Role::kNone);
  if (!opened) return fail(opened.error());
  const std::string& name = context.part("branch");
  auto head = opened->repository.branch_head(name);
  if (!head || !*head) return fail(Code::kNotFound, "404 Branch Not Found");
  auto rendered = render_branch(context, *opened, {name, **head});
  if (!rendered) return fail(rendered.error());
  return json_response(200, *rendered);
}

Result<http::Response> create_branch(Context& context) {
  auto opened = open(context, Role::kDeveloper);
  if (!opened) return fail(opened.error());
  const std::string name = context.params.text("branch");
  const std::string ref = context.params.text("ref");
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto branch =
      Contents(context.core).create_branch(Actor::of(*context.caller), opened->in.project, name, ref);
  if (!branch && (branch.error().code() == Code::kNotFound || branch.error().code() == Code::kAlreadyExists))
    return fail(Code::kInvalidArgument, branch.error().message());
  if (!branch) return fail(branch.error());
  auto rendered = render_branch(context, *opened, *branch);
  if (!rendered) return fail(rendered.error());
  return json_response(201, *rendered);
}

Result<http::Response> delete_branch(Context& context) {
  auto opened = open(context, Role::kDeveloper);
  if (!opened) return fail(opened.error());
  const std::string& name = context.part("branch");
  const Status status =
      Contents(context.core).delete_branch(Actor::of(*context.caller), opened->in.project, name);
  if (!status.ok()) return fail(status);
  return no_content();
}

Result<http::Response> list_commits(Context& context) {
  auto opened = open(context, Role::kNone);
  if (!opened) return fail(opened.error());
  const std::string ref = context.params.text_or("ref_name", opened->in.project.default_branch);
  const std::string path = context.params.text_or("path", "");
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto from = opened->repository.resolve(ref);
  auto log = from ? opened->repository.log(*from, path, offset_of(page), size_of(page)) : fail(from.error());
  if (!log && log.error().code() == Code::kNotFound) return fail(Code::kNotFound, "404 Commit Not Found");
  if (!log) return fail(log.error());
  json::array items;
  for (const git::Commit& commit : log->commits) {
    items.emplace_back(render(context.core, opened->in.project, commit));
  }
  return list_response(context, page, log->total, log->more, std::move(items));
}

Result<http::Response> get_commit(Context& context) {
  auto opened = open(context, Role::kNone);
  if (!opened) return fail(opened.error());
  auto id = opened->repository.resolve(context.part("sha"));
  auto commit = id ? opened->repository.commit(*id) : fail(id.error());
  if (!commit && commit.error().code() == Code::kNotFound)
    return fail(Code::kNotFound, "404 Commit Not Found");
  if (!commit) return fail(commit.error());
  return json_response(200, render(context.core, opened->in.project, *commit));
}

git::Change read_action(Params& action) {
  using Kind = git::Change::Kind;
  const std::string name = action.text("action");
  git::Change change{.path = action.text("file_path"),
                     .previous_path = action.text_or("previous_path", ""),
                     .last_commit_id = action.text_or("last_commit_id", "")};
  if (action.has("content")) change.content = read_content(action);
  if (name == "create") {
    change.kind = Kind::kCreate;
  } else if (name == "update") {
    change.kind = Kind::kUpdate;
  } else if (name == "delete") {
    change.kind = Kind::kDelete;
  } else if (name == "move") {
    change.kind = Kind::kMove;
    if (change.previous_path.empty()) action.refuse("previous_path is missing");
  } else {
    action.refuse("action does not have a valid value: use create, update, delete or move");
  }
  const bool writes = change.kind == Kind::kCreate || change.kind == Kind::kUpdate;
  if (writes && !change.content) action.refuse("content is missing");
  return change;
}

Result<http::Response> create_commit(Context& context) {
  auto opened = open(context, Role::kDeveloper);
  if (!opened) return fail(opened.error());
  git::CommitRequest request = read_commit(context);
  std::vector<Params> actions = context.params.objects("actions");
  for (std::size_t i = 0; i < actions.size(); ++i) {
    request.changes.push_back(read_action(actions[i]));
    if (Status status = actions[i].check(); !status.ok()) {
      context.params.refuse("actions[" + std::to_string(i) + "]: " + status.message());
    }
  }
  if (request.changes.empty()) context.params.refuse("actions is empty");
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto commit = Contents(context.core).commit_as(Actor::of(*context.caller), opened->in.project, request);
  if (!commit) return fail(commit.error());
  return json_response(201, render(context.core, opened->in.project, *commit));
}

constexpr Route kRoutes[] = {
    {"GET", "/projects/:id/repository/tree", list_tree, Need::kNobody, "Files and folders",
     "path ref recursive:boolean page:integer per_page:integer"},
    {"GET", "/projects/:id/repository/branches", list_branches, Need::kNobody, "Branches",
     "search page:integer per_page:integer"},
    {"POST", "/projects/:id/repository/branches", create_branch, Need::kUser, "Make a branch",
     "branch! ref!"},
    {"GET", "/projects/:id/repository/branches/*branch", get_branch, Need::kNobody, "A branch"},
    {"DELETE", "/projects/:id/repository/branches/*branch", delete_branch, Need::kUser, "Delete a branch"},
    {"GET", "/projects/:id/repository/commits", list_commits, Need::kNobody, "Commits, the newest first",
     "ref_name path page:integer per_page:integer"},
    {"POST", "/projects/:id/repository/commits", create_commit, Need::kUser, "Commit several changes at once",
     "branch! commit_message! actions!:array start_branch author_name author_email"},
    {"GET", "/projects/:id/repository/commits/*sha", get_commit, Need::kNobody, "A commit"},
};

}  // namespace

std::span<const Route> repository_routes() { return kRoutes; }

}  // namespace towline::control::api
