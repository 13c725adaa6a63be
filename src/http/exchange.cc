#include "http/exchange.h"

#include "io/stream.h"

namespace towline::http {

std::unique_ptr<io::Stream> ClientExchange::take_stream() { return nullptr; }

}  // namespace towline::http
