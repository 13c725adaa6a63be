#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <netdb.h>
#include <system_error>
#include <thread>
#include <utility>

#include "io/address.h"
#include "io/dial.h"
#include "io/loop.h"

namespace towline::io {
namespace {

using Addresses = Result<std::vector<ResolvedAddress>>;

/// Limit: look-ups of names at once; more wait. A dead name server holds each for half a minute.
constexpr std::size_t kMaxThreads = 8;
/// Limit: look-ups of names that wait for others; further ones fail at once.
constexpr std::size_t kMaxWaiting = 1000;

Status resolve_failure(int error, const std::string& host) {
  std::string reason = ::gai_strerror(error);
  if (error == EAI_NONAME || error == EAI_NODATA) reason = "no such host";
  if (error == EAI_AGAIN) reason = "the name servers do not answer";
  if (error == EAI_SYSTEM) reason = std::generic_category().message(errno);
  return Status(Code::kUnavailable, "resolve " + host + ": " + reason);
}

// Blocks.
Addresses look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) return fail(resolve_failure(error, host));
  std::vector<ResolvedAddress> found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    found.push_back({ip_of(address), port});
  }
  ::freeaddrinfo(list);
  return found;
}

// One call to resolve(). Shared with the thread that works on it, which may outlive everything else.
struct Request {
  Request(Loop& l, std::string h, std::uint16_t p, Resolver::Callback c)
      : loop(&l), host(std::move(h)), port(p), callback(std::move(c)) {}

  void cancel() {
    callback = nullptr;
    const std::lock_guard lock(mutex);
    loop = nullptr;
  }
  bool cancelled() {
    const std::lock_guard lock(mutex);
    return loop == nullptr;
  }

  std::mutex mutex;
  Loop* loop;  // null: cancelled, and the loop may be gone
  std::string host;
  std::uint16_t port;
  Resolver::Callback callback;  // touched on the loop only
};

// Hands `result` to the request's loop, unless it was cancelled before or is until the task runs.
void deliver(const std::shared_ptr<Request>& request, Addresses result) {
  const std::lock_guard lock(request->mutex);
  if (request->loop == nullptr) return;
  request->loop->post([request, result = std::move(result)]() mutable {
    Resolver::Callback callback = std::move(request->callback);
    if (callback) callback(std::move(result));
  });
}

class ResolveOperation final : public Operation {
 public:
  explicit ResolveOperation(std::shared_ptr<Request> request) : request_(std::move(request)) {}
  ~ResolveOperation() override { request_->cancel(); }
  ResolveOperation(const ResolveOperation&) = delete;
  ResolveOperation& operator=(const ResolveOperation&) = delete;

 private:
  std::shared_ptr<Request> request_;
};

// Requests and the threads that serve them. A thread ends when nothing is left to do, and is detached:
// nobody waits for a look-up that hangs.
struct Queue {
  std::mutex mutex;
  std::deque<std::shared_ptr<Request>> requests;
  std::size_t threads = 0;

  std::shared_ptr<Request> next() {
    const std::lock_guard lock(mutex);
    if (requests.empty()) {
      --threads;
      return nullptr;
    }
    auto request = std::move(requests.front());
    requests.pop_front();
    return request;
  }
  void drain() {
    while (const auto request = next()) {
      if (!request->cancelled()) deliver(request, look_up(request->host, request->port));
    }
  }
};

class SystemResolver final : public Resolver {
 public:
  std::unique_ptr<Operation> resolve(Loop& loop, std::string host, std::uint16_t port,
                                     Callback callback) override {
    auto request = std::make_shared<Request>(loop, std::move(host), port, std::move(callback));
    if (const auto literal = parse_address(request->host, port)) {
      deliver(request, std::vector{ResolvedAddress{ip_of(*literal), port}});
    } else {
      enqueue(request);
    }
    return std::make_unique<ResolveOperation>(std::move(request));
  }

 private:
  void enqueue(const std::shared_ptr<Request>& request) {
    const std::lock_guard lock(queue_->mutex);
    std::erase_if(queue_->requests, [](const auto& each) { return each->cancelled(); });
    if (queue_->requests.size() >= kMaxWaiting) {
      return deliver(request, fail(Code::kResourceExhausted,
                                   "resolve " + request->host + ": too many names are being looked up"));
    }
    queue_->requests.push_back(request);
    if (queue_->threads == kMaxThreads) return;
    try {
      std::thread([queue = queue_] { queue->drain(); }).detach();
      ++queue_->threads;
    } catch (const std::system_error& error) {
      if (queue_->threads > 0) return;  // a running thread takes the request
      queue_->requests.pop_back();
      deliver(request, fail(Code::kResourceExhausted, "resolve " + request->host + ": " + error.what()));
    }
  }

  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
};

}  // namespace

std::unique_ptr<Resolver> system_resolver() { return std::make_unique<SystemResolver>(); }

}  // namespace towline::io
