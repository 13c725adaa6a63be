#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include "http/budget.h"
#include "http/exchange.h"
#include "http/simple.h"
#include "io/fair_pool.h"

namespace towline::http {

/// Who has sent a request, as its head says. Whoever finds it out may add what he knows.
struct Visitor {
  virtual ~Visitor() = default;
  /// Whose share of threads and memory the request takes.
  io::Caller who;
  /// Set: this is the answer, at once, and the body is not read.
  std::optional<Response> refusal;
};

/// What requests and answers with whole bodies may hold while they are under way.
struct ServiceLimits {
  /// Limit: body of a request of somebody who has not logged in; over it the answer is 413.
  std::size_t stranger_body = 64 * 1024;
  /// Limit: body of a request of somebody known; over it the answer is 413.
  std::size_t body = 10 * 1024 * 1024;
  /// Limit: bytes of request bodies at once for one user; over it the answer is 503.
  std::size_t bodies_of_user = 32 * 1024 * 1024;
  /// Limit: bytes of request bodies at once for one address of those who have not logged in, at least 4 KiB
  /// for each; over it the answer is 503.
  std::size_t bodies_of_address = 256 * 1024;
  /// Limit: bytes of request bodies at once for all who have not logged in; over it the answer is 503.
  std::size_t bodies_of_strangers = 8 * 1024 * 1024;
  /// Limit: bytes of request bodies at once for everybody; over it the answer is 503.
  std::size_t bodies = 128 * 1024 * 1024;
  /// Limit: bytes of answers that wait for one user's readers; over it the answer is 503.
  std::size_t answers_of_user = 64 * 1024 * 1024;
  /// Limit: bytes of answers that wait for readers at one address who have not logged in: the largest file
  /// and little more; over it the answer is 503.
  std::size_t answers_of_address = 40 * 1024 * 1024;
  /// Limit: bytes of answers that wait for readers who have not logged in; over it the answer is 503.
  std::size_t answers_of_strangers = 128 * 1024 * 1024;
  /// Limit: bytes of answers that wait for all readers; over it the answer is 503.
  std::size_t answers = 384 * 1024 * 1024;
  /// Limit: requests of one user that wait for an agent without a thread; over it the answer is 503.
  std::size_t slow_of_user = 16;
  /// Limit: requests that wait for agents without a thread; over it the answer is 503.
  std::size_t slow = 256;
  /// Limit: time that a request may wait for an agent without a thread; over it the answer is 504.
  std::chrono::seconds slow_time{90};
};

/// What a service does with requests, and on which threads. Safe from any thread.
class Service {
 public:
  virtual ~Service() = default;

  /// Whether a head bears something to be looked up; a request without is a stranger's. On the loop: quick.
  virtual bool bears_credentials(const RequestHead& head) const = 0;
  /// Who has sent a request, which has no body yet. Blocks a thread of doorkeepers().
  virtual std::shared_ptr<const Visitor> identify(const Request& request) = 0;
  /// Blocks a thread of workers(). The request stays where it is until the response is sent or the client
  /// gone, so that a Later may refer to it.
  virtual Reply answer(const Request& request, const Visitor& visitor) = 0;

  /// Few threads of their own, so that nobody's work keeps anybody at the door.
  virtual io::FairPool& doorkeepers() = 0;
  virtual io::FairPool& workers(const RequestHead& head) = 0;
};

/// Handles requests by `service`: asks whom a request is for when its head is there, takes its body as far as
/// he may send one, answers from a thread that is his to use, and holds the answer until it is sent. What is
/// refused is answered at once, with the limit that was reached. A client that goes away interrupts the work
/// (Request::interrupt), and work that has not begun is dropped with it. `service` must outlive the handler.
std::unique_ptr<RequestHandler> handle_with(Service& service, const ServiceLimits& limits = {});

}  // namespace towline::http
