#pragma once

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
  /// A request that wants a connection.
  class Waiter {
   public:
    /// The connection to use now. `reused`: it has carried requests before, so it may turn out to be stale.
    virtual void on_connection(http::ClientConnection& connection, bool reused) = 0;
    virtual void on_no_connection(Status why) = 0;

   protected:
    ~Waiter() = default;
  };

  Pool(io::Loop& loop, io::Dialer& dialer, const ClusterConfig& config, ClientOptions options);

  /// Calls back now or later. `upgrade`: a fresh HTTP/1.1 connection; `fresh`: no reused one.
  void acquire(Waiter& waiter, bool upgrade, bool fresh);
  /// The waiter does not want a connection any more.
  void forget(Waiter& waiter);
  /// A request has ended: its connection may be free.
  void released();
  std::size_t size() const { return connections_.size(); }

 private:
  struct Connection {
    std::unique_ptr<http::ClientConnection> http;
    bool http2 = false;
    bool used = false;
    bool gone = false;  // takes no more requests; goes when the last one has ended
    bool for_upgrade = false;
    Clock::TimePoint idle_since{};
  };
  struct Dial {
    std::unique_ptr<io::Operation> operation;
    Waiter* upgrade_for = nullptr;  // dialled for this request alone
  };

  void dial(Waiter* upgrade_for);
  void dialled(std::list<Dial>::iterator dial, Result<std::unique_ptr<io::Stream>> stream);
  Connection* add(std::unique_ptr<io::Stream> stream, bool for_upgrade);
  Connection* find_free(bool fresh);
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
    bool fresh;
  };
  std::deque<Waiting> waiting_;
  std::optional<bool> server_speaks_http2_;
  bool serve_scheduled_ = false;
  io::Timer sweep_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace towline::kube
