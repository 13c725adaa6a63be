#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "http/client.h"
#include "io/dial.h"
#include "io/loop.h"
#include "kube/client.h"

namespace towline::kube {

/// The connections to one API server, and the requests that wait for one. Lives on its loop.
class Pool {
 public:
  /// The connection that a request gets.
  struct Lease {
    http::ClientConnection& connection;
    std::uint64_t id;  // counts up from 1
    bool http2;
    bool reused;  // it has carried requests before, so it may turn out to be stale
  };
  /// What a request needs of its connection.
  struct Need {
    /// An HTTP/1.1 connection of its own, closed afterwards.
    bool own = false;
    /// Not the connection of this id, nor an older one, nor a kept HTTP/1.1 one, which may be as stale. 0:
    /// any.
    std::uint64_t newer_than = 0;
  };

  /// A request that wants a connection.
  class Waiter {
   public:
    /// The connection to use now.
    virtual void on_connection(const Lease& lease) = 0;
    virtual void on_no_connection(Status why) = 0;

   protected:
    ~Waiter() = default;
  };

  Pool(io::Loop& loop, io::Dialer& dialer, const ClusterConfig& config, ClientOptions options);

  /// Calls back now or later.
  void acquire(Waiter& waiter, const Need& need);
  /// The waiter does not want a connection any more.
  void forget(Waiter& waiter);
  /// A request has ended: its connection may be free.
  void released();
  std::size_t size() const { return connections_.size(); }

 private:
  struct Connection {
    std::unique_ptr<http::ClientConnection> http;
    std::uint64_t id = 0;
    bool http2 = false;
    bool used = false;
    bool gone = false;  // takes no more requests; goes when the last one has ended
    bool own = false;   // of one request
    Clock::TimePoint idle_since{};
  };
  struct Dial {
    std::unique_ptr<io::Operation> operation;
    Waiter* own_of = nullptr;  // dialled for this request alone
  };

  void dial(Waiter* own_of);
  void dialled(std::list<Dial>::iterator dial, Result<std::unique_ptr<io::Stream>> stream);
  Connection* add(std::unique_ptr<io::Stream> stream, bool own);
  Connection* find_free(std::uint64_t newer_than);
  void use(Waiter& waiter, Connection& connection);
  void serve_waiting();
  void dial_for_waiting();
  void sweep();

  io::Loop& loop_;
  io::Dialer& dialer_;
  const ClusterConfig& config_;
  ClientOptions options_;
  std::list<Connection> connections_;
  std::list<Dial> dials_;
  struct Waiting {
    Waiter* waiter;
    std::uint64_t newer_than;
  };
  std::deque<Waiting> waiting_;
  std::optional<bool> server_speaks_http2_;
  std::uint64_t last_id_ = 0;
  bool serve_scheduled_ = false;
  io::Timer sweep_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace towline::kube
