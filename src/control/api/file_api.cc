#include <boost/json.hpp>

#include "base/encoding.h"
#include "control/api/commits.h"
#include "control/api/respond.h"
#include "control/domain/contents.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

/// Limit: bytes of a file that is answered as base64 in JSON, which takes its memory several times over; a
/// larger one is refused with 413.
constexpr std::size_t kMaxJsonFile = 10 * 1024 * 1024;

struct FoundFile {
  std::string path;
  std::string ref;
  git::ObjectId commit_id;
  git::ObjectId last_commit_id;
  git::File file;
};

Result<FoundFile> find_file(Context& context, std::size_t max_size) {
  auto found = find_code(context);
  if (!found) return fail(found.error());
  const std::string given = context.params.text_or("ref", "");
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  const bool none = given.empty() || given == "HEAD";
  FoundFile result{.path = context.part("file_path"), .ref = none ? found->project.default_branch : given};
  auto repository = Contents(context.core).open(found->project, context.request.interrupt);
  if (!repository) return fail(repository.error());
  auto commit = repository->resolve(result.ref);
  if (!commit && commit.error().code() == Code::kNotFound)
    return fail(Code::kNotFound, "404 Commit Not Found");
  if (!commit) return fail(commit.error());
  auto file = repository->file(*commit, result.path, max_size);
  if (!file && file.error().code() == Code::kNotFound) return fail(Code::kNotFound, "404 File Not Found");
  if (!file) return fail(file.error());
  auto last = repository->last_commit_of(*commit, result.path);
  if (!last) return fail(last.error());
  result.commit_id = *commit;
  result.last_commit_id = *last;
  result.file = std::move(*file);
  return result;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<http::Response> get_file(Context& context) {
  auto found = find_file(context, kMaxJsonFile);
  if (!found) return fail(found.error());
  return json_response(200, json::object{{"file_name", file_name(found->path)},
                                         {"file_path", found->path},
                                         {"size", found->file.content.size()},
                                         {"encoding", "base64"},
                                         {"content_sha256", sha256_hex(found->file.content)},
                                         {"ref", found->ref},
                                         {"blob_id", found->file.blob_id.to_text()},
                                         {"commit_id", found->commit_id.to_text()},
                                         {"last_commit_id", found->last_commit_id.to_text()},
                                         {"execute_filemode", found->file.executable},
                                         {"content", base64_encode(found->file.content)}});
}

// Names of files hold anything but a slash; a header must not hold line ends.
std::string header_safe(const std::string& text) {
  const bool safe = text.find_first_of("\r\n") == std::string::npos && text.find('\0') == std::string::npos;
  return safe ? text : percent_encode(text);
}

void add_file_headers(http::Headers& headers, const FoundFile& found) {
  headers.add("x-gitlab-blob-id", found.file.blob_id.to_text());
  headers.add("x-gitlab-commit-id", found.commit_id.to_text());
  headers.add("x-gitlab-content-sha256", sha256_hex(found.file.content));
  headers.add("x-gitlab-encoding", "base64");
  headers.add("x-gitlab-execute-filemode", found.file.executable ? "true" : "false");
  headers.add("x-gitlab-file-name", header_safe(file_name(found.path)));
  headers.add("x-gitlab-file-path", header_safe(found.path));
  headers.add("x-gitlab-last-commit-id", found.last_commit_id.to_text());
  headers.add("x-gitlab-ref", header_safe(found.ref));
  headers.add("x-gitlab-size", std::to_string(found.file.content.size()));
}

Result<http::Response> head_file(Context& context) {
  auto found = find_file(context, git::kMaxFile);
  if (!found) return fail(found.error());
  http::Response response{.status = 200};
  add_file_headers(response.headers, *found);
  return response;
}

// Never shown by a browser as a page of this server.
Result<http::Response> get_raw_file(Context& context) {
  auto found = find_file(context, git::kMaxFile);
  if (!found) return fail(found.error());
  http::Response response{.status = 200, .body = std::move(found->file.content)};
  const bool text = response.body.find('\0') == std::string::npos;
  response.headers.add("content-type", text ? "text/plain; charset=utf-8" : "application/octet-stream");
  response.headers.add("content-disposition", "attachment");
  response.headers.add("x-content-type-options", "nosniff");
  add_file_headers(response.headers, *found);
  return response;
}

Result<FoundProject> commit_change(Context& context, git::Change change) {
  auto found = find_project(context, Role::kDeveloper);
  if (!found) return fail(found.error());
  git::CommitRequest request = read_commit(context);
  change.path = context.part("file_path");
  change.last_commit_id = context.params.text_or("last_commit_id", "");
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  request.changes.push_back(std::move(change));
  auto made = Contents(context.core).commit_as(Actor::of(*context.caller), found->project, request);
  if (!made) return fail(made.error());
  return found;
}

Result<http::Response> write_file(Context& context, git::Change::Kind kind, int status) {
  if (!context.params.has("content")) context.params.refuse("content is missing");
  auto done = commit_change(context, {.kind = kind, .content = read_content(context.params)});
  if (!done) return fail(done.error());
  return json_response(status, json::object{{"file_path", context.part("file_path")},
                                            {"branch", context.params.text_or("branch", "")}});
}
Result<http::Response> create_file(Context& context) {
  return write_file(context, git::Change::Kind::kCreate, 201);
}
Result<http::Response> update_file(Context& context) {
  return write_file(context, git::Change::Kind::kUpdate, 200);
}

Result<http::Response> delete_file(Context& context) {
  auto done = commit_change(context, {.kind = git::Change::Kind::kDelete});
  if (!done) return fail(done.error());
  return no_content();
}

// The first match counts, so that a file named "raw" inside a folder is asked for with %2F.
constexpr Route kRoutes[] = {
    {"GET", "/projects/:id/repository/files/*file_path/raw", get_raw_file, Need::kNobody, "A file's bytes",
     "ref"},
    {"GET", "/projects/:id/repository/files/*file_path", get_file, Need::kNobody, "A file", "ref"},
    {"HEAD", "/projects/:id/repository/files/*file_path", head_file, Need::kNobody,
     "What is known of a file, as headers", "ref"},
    {"POST", "/projects/:id/repository/files/*file_path", create_file, Need::kUser, "Commit a new file",
     "branch! commit_message! content! encoding start_branch author_name author_email"},
    {"PUT", "/projects/:id/repository/files/*file_path", update_file, Need::kUser,
     "Commit a change of a file",
     "branch! commit_message! content! encoding start_branch author_name author_email last_commit_id"},
    {"DELETE", "/projects/:id/repository/files/*file_path", delete_file, Need::kUser,
     "Commit the removal of a file",
     "branch! commit_message! start_branch author_name author_email last_commit_id"},
};

}  // namespace

std::span<const Route> file_routes() { return kRoutes; }

git::CommitRequest read_commit(Context& context) {
  Params& params = context.params;
  const User& user = context.user();
  const Millis now = context.core.now();
  git::CommitRequest request{.branch = params.text("branch"),
                             .start_branch = params.text_or("start_branch", ""),
                             .message = params.text("commit_message")};
  request.committer = {user.name, user.email, now};
  request.author = {params.text_or("author_name", user.name), params.text_or("author_email", user.email),
                    now};
  return request;
}

std::string read_content(Params& params) {
  std::string content = params.bytes("content").value_or("");
  const std::string encoding = params.text_or("encoding", "text");
  if (encoding == "text") return content;
  if (encoding != "base64") return params.refuse("encoding does not have a valid value"), std::string();
  std::erase_if(content, [](char c) { return c == '\n' || c == '\r'; });  // MIME breaks its lines
  auto decoded = base64_decode(content);
  if (!decoded) return params.refuse("content is not valid base64"), std::string();
  return std::move(*decoded);
}

}  // namespace towline::control::api
