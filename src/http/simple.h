#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/interrupt.h"
#include "http/client.h"
#include "http/exchange.h"
#include "http/message.h"
#include "io/dial.h"

namespace towline::http {

/// A request or response with its whole body, for everything that does not stream. Values.
struct Request {
  RequestHead head;
  std::string body;
  /// The client's address, "192.0.2.1:443", where the request came from an exchange.
  std::string peer;
  /// Ends when the client goes away, and after kAnswerTime; null where nobody waits.
  InterruptPtr interrupt;
};

/// Limit: time that a request may wait for a thread and then use it; over it the work is told to end, and not
/// begun where it has not.
inline constexpr std::chrono::seconds kAnswerTime{30};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

/// {"message":"..."} with its content type.
Response json_message(int status, std::string_view message);

/// Answers with `response` in one turn of the loop, so that it leaves in one write. The exchange is finished
/// by that and may be destroyed at once.
void send(ServerExchange& exchange, const Response& response);

/// Reads the whole body of a request, then calls `done` on the exchange's loop; from inside collect_body when
/// there is no body. `done` must set the exchange's handler before it returns, or finish the exchange. A body
/// of more than `limit` bytes is answered by 413 and `done` is dropped; so it is when the exchange fails.
using Collected = std::move_only_function<void(Request request, std::unique_ptr<ServerExchange> exchange)>;
void collect_body(RequestHead head, bool has_body, std::unique_ptr<ServerExchange> exchange,
                  std::size_t limit, Collected done);

/// Work that a response waits for without holding a thread. Called once, on the exchange's loop; it calls
/// `done` once on that loop, never from inside, and `done` may destroy the operation. Destroying the
/// operation cancels the work: so it goes when the client goes away.
using Later = std::move_only_function<std::unique_ptr<io::Operation>(
    io::Loop& loop, std::move_only_function<void(Response)> done)>;
using Reply = std::variant<Response, Later>;

/// Sends `request` and collects the response, at most `limit` bytes of body (over it: RESOURCE_EXHAUSTED).
/// Calls back once on `loop`, never from inside fetch(). Destroying the operation cancels the request.
/// UNAVAILABLE when the connection can take no request. `loop` is the connection's.
using Fetched = std::move_only_function<void(Result<Response>)>;
[[nodiscard]] std::unique_ptr<io::Operation> fetch(io::Loop& loop, ClientConnection& connection,
                                                   const Request& request, std::size_t limit, Fetched done);
/// The same where something else than a connection begins exchanges, a pool for example: as
/// ClientConnection::open. `open` is called once, from inside fetch().
using OpenExchange = std::function<std::unique_ptr<ClientExchange>(const RequestHead& head, bool end,
                                                                   ExchangeHandler* handler)>;
[[nodiscard]] std::unique_ptr<io::Operation> fetch(io::Loop& loop, const OpenExchange& open,
                                                   const Request& request, std::size_t limit, Fetched done);

}  // namespace towline::http
