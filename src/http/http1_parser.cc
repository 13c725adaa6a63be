#include "http/http1_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>

#include "http/fields.h"
#include "http/http1_head.h"

namespace towline::http {
namespace {

namespace beast = boost::beast;
using beast::http::error;
using ErrorCode = beast::error_code;

/// Limit: bytes of one chunk's extension; the request is answered by 400. None of interest has any.
constexpr std::size_t kMaxChunkExtension = 256;
/// Limit: bytes of chunk framing that a peer may send beyond its fair share (16 a chunk and as much as the
/// chunk holds); the request is answered by 400. Go's net/http counts so since CVE-2023-39326.
constexpr std::uint64_t kMaxChunkExcess = 16 * 1024;
// A line that is longer is not looked at again before it has an end: bytes that come one by one must not make
// the parser search all that came before.
constexpr std::size_t kLongLine = 4096;
/// Limit: bytes of the trailers of one HTTP/1.1 message with its last chunk's head; 431. They are parsed as
/// one.
constexpr std::size_t kMaxTrailers = 64 * 1024;
// The shortest end of a chunked body, "0\r\n\r\n". Waiting for so much never waits in vain, and Beast's
// parser wants it.
constexpr std::size_t kMinChunkBytes = 5;

std::string_view std_view(beast::string_view text) { return {text.data(), text.size()}; }

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

// A folded value (RFC 9112, section 5.2) does not begin where the text after the colon does.
bool folded(std::string_view name, std::string_view value) {
  const char* at = name.data() + name.size() + 1;
  while (*at == ' ' || *at == '\t') ++at;
  return at != value.data();
}

// What a parser collects of a message.
struct Collected {
  Http1Head head;
  Headers trailers;
  bool head_done = false;
  std::size_t bytes = 0;   // of names and values, of the head and then of the trailers
  std::size_t fields = 0;  // likewise
  std::uint64_t chunk_left = 0;
  std::uint64_t chunk_excess = 0;
  std::size_t max_body = 0;
  std::string_view body;
  std::optional<Http1Parser::Error> error;
};

template <bool kIsRequest>
class Beast final : public beast::http::basic_parser<kIsRequest> {
  using Base = beast::http::basic_parser<kIsRequest>;

 public:
  Beast(Collected& to, const Limits& limits) : to_(to), limits_(limits) {
    this->body_limit(boost::none);
    // One line of this length at most; the whole is counted field by field.
    this->header_limit(static_cast<std::uint32_t>(limits.header_bytes + 64));
  }

 private:
  // Ends the parser's call with an error of ours.
  void refuse(ErrorCode& ec, int status, std::string message) {
    to_.error = {status, std::move(message)};
    ec = error::bad_value;
  }
  bool count(std::size_t bytes, ErrorCode& ec) {
    to_.bytes += bytes;
    if (to_.bytes <= limits_.header_bytes) return true;
    refuse(ec, 431, "the header fields are larger than " + std::to_string(limits_.header_bytes) + " bytes");
    return false;
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       ErrorCode& ec) override {
    if (!count(method.size() + target.size(), ec)) return;
    to_.head.method = std_view(method);
    to_.head.target = std_view(target);
    to_.head.http10 = version == 10;
  }
  void on_response_impl(int code, beast::string_view, int version, ErrorCode& ec) override {
    if (code < 100) return refuse(ec, 400, "bad status code");
    to_.head.status = code;
    to_.head.http10 = version == 10;
  }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     ErrorCode& ec) override {
    if (folded(std_view(name), std_view(value)))
      return refuse(ec, 400, "a header field is folded over lines");
    if (!is_field(std_view(name), std_view(value)))
      return refuse(ec, 400, "a header field has a bad name or value");
    if (!count(name.size() + value.size(), ec)) return;
    if (++to_.fields > limits_.header_count) {
      return refuse(ec, 431,
                    "there are more than " + std::to_string(limits_.header_count) + " header fields");
    }
    (to_.head_done ? to_.trailers : to_.head.headers).add(std_view(name), std_view(value));
  }
  void on_header_impl(ErrorCode& ec) override {
    to_.head.framed_length = length();
    if (auto flaw = check_head(to_.head, kIsRequest))
      return refuse(ec, flaw->status, std::move(flaw->message));
    to_.head_done = true;
    to_.bytes = to_.fields = 0;
  }
  std::optional<std::uint64_t> length() const {
    const auto value = this->content_length();
    return value ? std::optional<std::uint64_t>(*value) : std::nullopt;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(beast::string_view body, ErrorCode&) override {
    to_.body = std_view(body).substr(0, to_.max_body);
    return to_.body.size();
  }
  void on_chunk_header_impl(std::uint64_t size, beast::string_view extension, ErrorCode& ec) override {
    if (extension.size() > kMaxChunkExtension) return refuse(ec, 400, "a chunk extension is too long");
    if (std::ranges::any_of(std_view(extension), is_control)) return refuse(ec, 400, "bad chunk extension");
    to_.chunk_excess += extension.size() + 8;
    const std::uint64_t fair = 16 + std::min<std::uint64_t>(size, kMaxChunkExcess);
    to_.chunk_excess -= std::min(to_.chunk_excess, fair);
    if (to_.chunk_excess > kMaxChunkExcess)
      return refuse(ec, 400, "too much chunk framing for so little body");
    to_.chunk_left = size;
  }
  std::size_t on_chunk_body_impl(std::uint64_t remain, beast::string_view body, ErrorCode&) override {
    to_.body = std_view(body).substr(0, to_.max_body);
    to_.chunk_left = remain - to_.body.size();
    return to_.body.size();
  }
  void on_finish_impl(ErrorCode&) override {}

  Collected& to_;
  const Limits& limits_;
};

// "GET / HTTP/2.0": a version that is well formed and not ours.
bool is_other_version(std::string_view line) {
  line = line.substr(0, line.find('\r'));
  const auto at = line.rfind(" HTTP/");
  if (at == std::string_view::npos || line.size() != at + 9) return false;
  const auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
  return digit(at + 6) && line[at + 7] == '.' && digit(at + 8) && line[at + 6] != '1';
}

Http1Parser::Error describe(const ErrorCode& ec, std::string_view input) {
  if (ec == error::header_limit) return {431, "the header fields are too large"};
  if (ec == error::bad_version) {
    if (is_other_version(input)) return {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
    return {400, "bad HTTP version"};
  }
  return {400, ec.message()};
}

}  // namespace

struct Http1Parser::Impl {
  Impl(Role r, const Limits& l) : role(r), limits(l) {}

  template <typename Call>
  decltype(auto) with(Call call) const {
    return role == Role::kRequests ? call(*requests) : call(*responses);
  }
  bool in_chunk_framing() const {
    return got.head_done && got.chunk_left == 0 && with([](auto& p) { return p.chunked(); });
  }
  Step put(std::string_view input);
  bool awaits_line_end(std::string_view input);

  Role role;
  const Limits limits;
  Collected got;
  mutable std::optional<Beast<true>> requests;
  mutable std::optional<Beast<false>> responses;
  Error error;
  bool failed = false;
  bool skipped_blank = false;
  std::size_t searched = 0;  // bytes of the input that have no line end
};

bool Http1Parser::Impl::awaits_line_end(std::string_view input) {
  if (input.size() <= kLongLine || input.size() > limits.header_bytes + kMaxChunkExtension) return false;
  const std::size_t from = std::min(searched, input.size());
  searched = input.size();
  return input.substr(from).find('\n') == std::string_view::npos;
}

Http1Parser::Step Http1Parser::Impl::put(std::string_view input) {
  got.body = {};
  searched = 0;
  const bool had_head = got.head_done;
  ErrorCode ec;
  const std::size_t consumed = with(
      [&](auto& parser) { return parser.put(boost::asio::const_buffer(input.data(), input.size()), ec); });
  if (ec == error::need_more) {
    // What is not consumed is one line of the head, or a chunk's framing with all trailers.
    const std::size_t limit =
        (had_head ? std::min(limits.header_bytes, kMaxTrailers) : limits.header_bytes) + kMaxChunkExtension;
    if (input.size() - consumed <= limit) return {Event::kNeedMore, consumed, {}};
    got.error = {431, "the header fields are too large"};
  }
  if (ec) {
    failed = true;
    error = got.error ? *std::exchange(got.error, std::nullopt) : describe(ec, input);
    return {Event::kError, consumed, {}};
  }
  if (!had_head) return {Event::kHead, consumed, {}};
  return {got.body.empty() ? Event::kFraming : Event::kBody, consumed, got.body};
}

Http1Parser::Http1Parser(Role role, const Limits& limits) : impl_(std::make_unique<Impl>(role, limits)) {
  next();
}

Http1Parser::~Http1Parser() = default;

Http1Parser::Step Http1Parser::step(std::string_view input, std::size_t max_body) {
  if (impl_->failed) return {Event::kError, 0, {}};
  if (input.empty()) return {};
  if (!impl_->got.head_done) {
    // One empty line before a request is forgiven (RFC 9112, section 2.2).
    if (impl_->role == Role::kRequests && !started() && !impl_->skipped_blank && input[0] == '\r') {
      if (input.size() < 2) return {};
      impl_->skipped_blank = true;
      if (input[1] == '\n') return {input.size() > 2 ? Event::kFraming : Event::kNeedMore, 2, {}};
    }
    if (impl_->awaits_line_end(input)) return {};
  } else if (impl_->in_chunk_framing()) {
    if (input.size() < kMinChunkBytes) return {};
  } else if (max_body == 0) {
    return {Event::kBlocked, 0, {}};
  }
  impl_->got.max_body = max_body;
  return impl_->put(input);
}

bool Http1Parser::finish_at_eof() {
  if (impl_->failed || !impl_->got.head_done) return false;
  ErrorCode ec;
  impl_->with([&](auto& parser) { parser.put_eof(ec); });
  return !ec;
}

bool Http1Parser::started() const {
  return impl_->with([](auto& parser) { return parser.got_some(); });
}
std::size_t Http1Parser::head_bytes() const { return impl_->got.bytes; }
bool Http1Parser::head_done() const { return impl_->got.head_done; }
bool Http1Parser::done() const {
  return impl_->with([](auto& parser) { return parser.is_done(); });
}
const Http1Parser::Error& Http1Parser::error() const { return impl_->error; }

RequestHead Http1Parser::take_request() { return to_request(impl_->got.head); }
ResponseHead Http1Parser::take_response() { return to_response(impl_->got.head); }
Headers Http1Parser::take_trailers() { return std::move(impl_->got.trailers); }

bool Http1Parser::keep_alive() const { return impl_->got.head.keep_alive; }
bool Http1Parser::http10() const { return impl_->got.head.http10; }
bool Http1Parser::expects_continue() const { return impl_->got.head.expects_continue; }

void Http1Parser::next(bool head_request) {
  impl_->got = Collected{};
  impl_->failed = false;
  impl_->skipped_blank = false;
  if (impl_->role == Role::kRequests) {
    impl_->requests.emplace(impl_->got, impl_->limits);
  } else {
    impl_->responses.emplace(impl_->got, impl_->limits);
    if (head_request) impl_->responses->skip(true);
  }
}

}  // namespace towline::http
