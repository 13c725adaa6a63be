#include "http/exchange.h"

#include "http/limits.h"
#include "io/stream.h"

namespace towline::http {

bool is_alive(const io::Stream& stream, const Limits& limits) {
  const auto state = stream.peer_state();
  return !state || (!state->lost && state->silence < limits.peer_silence);
}

std::unique_ptr<io::Stream> ClientExchange::take_stream() { return nullptr; }

}  // namespace towline::http
