#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "http/limits.h"
#include "http/message.h"

namespace towline::http {

/// Parses the messages of one direction of an HTTP/1.1 connection (RFC 9112), one after the other, from bytes
/// that the caller holds. It never reads ahead and keeps no body. Strict where leniency lets two hops
/// disagree on where a message ends: one Content-Length, Transfer-Encoding only "chunked" and not both, no
/// folded lines, no bare CR or LF, no white space before a colon, exactly one Host.
class Http1Parser {
 public:
  enum class Role { kRequests, kResponses };
  enum class Event {
    kNeedMore,  // the rest of the input does not hold a whole element
    kHead,      // the head is complete: take_request() or take_response()
    kBody,      // a piece of body
    kFraming,   // framing was consumed; call again
    kBlocked,   // body follows and `max_body` is 0
    kError,     // error() says why; nothing more can be parsed
  };
  struct Step {
    Event event = Event::kNeedMore;
    std::size_t consumed = 0;  // bytes of the input that are dealt with, also for kNeedMore
    std::string_view body;     // a view into the input
  };
  /// What is wrong with the peer's bytes. `status` is how a server answers.
  struct Error {
    int status = 400;
    std::string message;
  };

  Http1Parser(Role role, const Limits& limits);
  ~Http1Parser();

  /// Parses one element from the front of `input`, which begins with what earlier steps did not consume. Not
  /// when done().
  Step step(std::string_view input, std::size_t max_body);
  /// The peer ended its direction: completes a response that ends so, else false.
  bool finish_at_eof();

  /// Whether a byte of the present message has come.
  bool started() const;
  bool head_done() const;
  /// Names and values that have come of the present head.
  std::size_t head_bytes() const;
  /// Whether the message is complete.
  bool done() const;
  const Error& error() const;

  /// Valid once, after kHead. Host and hop-by-hop fields have left the headers; the scheme is not set.
  RequestHead take_request();
  ResponseHead take_response();
  /// Valid once, when done.
  Headers take_trailers();

  /// Facts of the head, valid from kHead on.
  bool keep_alive() const;
  bool http10() const;
  bool expects_continue() const;

  /// Begins the next message. `head_request`: the response to come answers HEAD and has no body.
  void next(bool head_request = false);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace towline::http
