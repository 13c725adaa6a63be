#include <utility>

#include "http/server.h"
#include "http/sniff.h"

namespace towline::http {

std::unique_ptr<ServerConnection> serve(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                        RequestHandler& handler, ServerConnectionOptions options,
                                        std::move_only_function<void()> on_closed) {
  const auto with = [&loop, &handler, options](auto serve_it) -> MakeConnection {
    return [&loop, &handler, options, serve_it](std::unique_ptr<io::Stream> s,
                                                std::move_only_function<void()> done) {
      return serve_it(loop, std::move(s), handler, options, std::move(done));
    };
  };
  if (stream->alpn() == "h2")
    return serve_http2(loop, std::move(stream), handler, options, std::move(on_closed));
  if (!stream->alpn().empty()) {
    return serve_http1(loop, std::move(stream), handler, options, std::move(on_closed));
  }
  return sniff(loop, std::move(stream), with(serve_http1), with(serve_http2), options.limits.header_timeout,
               std::move(on_closed));
}

}  // namespace towline::http
