// What libgit2 is told once, and how its errors become ours.
#include <cstdlib>
#include <cstring>
#include <utility>

#include <git2/sys/alloc.h>

#include "control/git/handles.h"

namespace towline::control::git {
namespace {

/// Limit: bytes that libgit2 may ask for at once, so that no object, and no object that another is stored as
/// a difference to, is inflated beyond it; reading one that is fails.
constexpr std::size_t kMaxAllocation = 64 * 1024 * 1024;
/// Limit: bytes that libgit2 may ask for to read one object, with those it is stored as a difference to;
/// reading one that takes more fails.
constexpr std::size_t kMaxReading = 512 * 1024 * 1024;
/// Limit: bytes of trees, commits and tags that libgit2 keeps for all open repositories; it forgets some.
constexpr std::ptrdiff_t kMaxCache = 32 * 1024 * 1024;
/// Limit: bytes of a tree, commit or tag that libgit2 keeps while its repository is open; it reads it again.
constexpr std::size_t kMaxCached = 256 * 1024;

// libgit2 has one allocator for the process and hands it nothing of ours: only the thread tells readers
// apart.
constexpr std::size_t kUnbounded = static_cast<std::size_t>(-1);
thread_local std::size_t left = kUnbounded;  // of an Allowance

// What libgit2 gets, or its error for having got none.
template <typename T>
T* given(T* memory) {
  if (memory == nullptr) git_error_set_oom();
  return memory;
}
bool fits(std::size_t count, std::size_t size) {
  if (size != 0 && count > kMaxAllocation / size) return false;
  if (left == kUnbounded) return true;
  if (count * size > left) return false;
  left -= count * size;
  return true;
}
void* allocate(std::size_t size, const char*, int) {
  return given(fits(1, size) ? std::malloc(size) : nullptr);
}
void* allocate_zeroed(std::size_t count, std::size_t size, const char*, int) {
  return given(fits(count, size) ? std::calloc(count, size) : nullptr);
}
void* allocate_array(std::size_t count, std::size_t size, const char*, int) {
  return given(fits(count, size) ? std::malloc(count * size) : nullptr);
}
void* resize(void* old, std::size_t size, const char*, int) {
  return given(fits(1, size) ? std::realloc(old, size) : nullptr);
}
void* resize_array(void* old, std::size_t count, std::size_t size, const char*, int) {
  return given(fits(count, size) ? std::realloc(old, count * size) : nullptr);
}
char* copy(const char* text, std::size_t size, const char*, int) {
  auto* made = static_cast<char*>(given(fits(1, size) ? std::malloc(size + 1) : nullptr));
  if (made == nullptr) return nullptr;
  std::memcpy(made, text, size);
  made[size] = '\0';
  return made;
}
char* copy_all(const char* text, const char* file, int line) {
  return copy(text, std::strlen(text), file, line);
}
char* copy_some(const char* text, std::size_t size, const char* file, int line) {
  return copy(text, ::strnlen(text, size), file, line);
}

git_allocator bounded_allocator() {
  return {.gmalloc = allocate,
          .gcalloc = allocate_zeroed,
          .gstrdup = copy_all,
          .gstrndup = copy_some,
          .gsubstrdup = copy,
          .grealloc = resize,
          .greallocarray = resize_array,
          .gmallocarray = allocate_array,
          .gfree = std::free};
}

}  // namespace

Allowance::Allowance() : before_(std::exchange(left, kMaxReading)) {}
Allowance::~Allowance() { left = before_; }
std::size_t Allowance::used() const { return kMaxReading - left; }

void start_library() {
  static const int once = [] {
    git_allocator allocator = bounded_allocator();
    git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &allocator);
    git_libgit2_init();
    for (const int level : {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL,
                            GIT_CONFIG_LEVEL_PROGRAMDATA}) {
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);  // the data folder may be a volume of another owner
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, kMaxCache);
    for (const git_object_t type : {GIT_OBJECT_COMMIT, GIT_OBJECT_TREE, GIT_OBJECT_TAG}) {
      git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, type, kMaxCached);
    }
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
      break;
  }
  if (last != nullptr && last->klass == GIT_ERROR_NOMEMORY) {
    return {Code::kResourceExhausted,
            what + ": reading it takes more memory than the server gives to one object"};
  }
  return {Code::kInternal, "git: " + what + ": " + why};
}

}  // namespace towline::control::git
