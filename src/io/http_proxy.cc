#include "io/http_proxy.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/encoding.h"
#include "base/once.h"
#include "base/text.h"
#include "io/address.h"
#include "io/loop.h"
#include "io/tls.h"

namespace towline::io {
namespace {

using std::chrono::milliseconds;

/// Limit: bytes of an HTTP proxy's answer to CONNECT; the connection fails. A line and a few fields are
/// usual.
constexpr std::size_t kMaxHead = 16 * 1024;

bool is_loopback(const std::string& host) {
  if (is_localhost(host)) return true;
  const std::string bytes = address_bytes(host);
  if (bytes.size() == 4) return bytes[0] == 127;
  return bytes == std::string(15, '\0') + '\1';
}

Result<std::optional<Url>> proxy_url(const ProxySettings::Environment& environment, const char* upper) {
  const char* value = environment(upper);
  if (value == nullptr || *value == '\0') value = environment(lower_case(upper).c_str());
  const std::string_view text = trim(value == nullptr ? "" : value);
  if (text.empty()) return std::nullopt;
  // "proxy:3128" means http.
  auto url = parse_url(text.find("://") == std::string_view::npos ? "http://" + std::string(text)
                                                                  : std::string(text));
  if (!url || url->host.empty() || (url->scheme != "http" && url->scheme != "https")) {
    return fail(
        Code::kInvalidArgument,
        std::string(upper) + " is not the address of an HTTP proxy, http://[user:password@]host:port");
  }
  return std::move(*url);
}

// One CONNECT through a proxy, and TLS with the target where it wants that.
class ProxiedDial final : public Operation, public StreamHandler {
 public:
  ProxiedDial(Dialer& direct, Loop& loop, const Url& proxy, std::shared_ptr<TlsClientContext> proxy_tls,
              DialTarget target, milliseconds timeout, StreamCallback callback)
      : loop_(loop),
        proxy_(proxy),
        target_(std::move(target)),
        timeout_(timeout),
        done_(std::move(callback)),
        overall_(loop, [this] {
          finish(fail(Code::kDeadlineExceeded,
                      name() + ": no answer within " + std::to_string(timeout_.count()) + " ms"));
        }) {
    overall_.start(timeout);
    DialTarget to_proxy{.host = proxy.host, .port = proxy.port};
    if (proxy.scheme == "https") {
      to_proxy.tls = std::move(proxy_tls);
      to_proxy.alpn = {"http/1.1"};
    }
    step_ =
        direct.dial(loop, std::move(to_proxy), timeout, [this](auto stream) { reached(std::move(stream)); });
  }

  void on_readable() override { read(); }
  void on_writable() override { write(); }

 private:
  std::string name() const { return "HTTP proxy " + join_host_port(proxy_.host, proxy_.port); }
  std::string authority() const { return join_host_port(target_.host, target_.port); }

  void reached(Result<std::unique_ptr<Stream>> stream) {
    if (!stream) return finish(fail(stream.error().with_prefix(name())));
    stream_ = std::move(*stream);
    stream_->set_handler(this);
    request_ = "CONNECT " + authority() + " HTTP/1.1\r\nHost: " + authority() + "\r\n";
    if (!proxy_.user.empty() || !proxy_.password.empty()) {
      request_ += "Proxy-Authorization: Basic " + base64_encode(proxy_.user + ":" + proxy_.password) + "\r\n";
    }
    request_ += "User-Agent: towline\r\n\r\n";
    write();
  }

  void write() {
    while (!request_.empty()) {
      const Transfer moved = io::write(*stream_, std::as_bytes(std::span(request_)));
      if (moved.outcome == Outcome::kWouldBlock) return;
      if (moved.outcome != Outcome::kDone) return broken();
      request_.erase(0, moved.bytes);
    }
    read();
  }

  // What follows the head belongs to the target: bytes that were read too far are put back.
  void read() {
    for (;;) {
      const std::span<std::byte> buffer = loop_.scratch().first(1024);
      const Transfer moved = stream_->read(buffer);
      if (moved.outcome == Outcome::kWouldBlock) return;
      if (moved.outcome != Outcome::kDone) return broken();
      head_.append(reinterpret_cast<const char*>(buffer.data()), moved.bytes);
      const auto end = head_.find("\r\n\r\n");
      if (end != std::string::npos) return answered(end + 4);
      if (head_.size() > kMaxHead) return refuse("it answered with a head over 16 KiB");
    }
  }

  void answered(std::size_t end) {
    // "HTTP/1.1 200 Connection established"
    const std::string_view line = std::string_view(head_).substr(0, head_.find("\r\n"));
    int status = 0;
    if (line.size() < 12 || !line.starts_with("HTTP/1.") ||
        std::from_chars(line.data() + 9, line.data() + 12, status).ec != std::errc()) {
      return refuse("it does not speak HTTP");
    }
    if (status == 407) {
      return refuse(proxy_.user.empty() ? "it wants credentials: put user:password@ into its address (407)"
                                        : "it refused the credentials in its address (407)");
    }
    if (status / 100 != 2)
      return refuse("it refused CONNECT " + authority() + ": " + printable(line.substr(9)));
    stream_->set_handler(nullptr);
    std::string rest = head_.substr(end);
    if (!rest.empty()) stream_ = unread(std::move(stream_), std::move(rest));
    if (target_.tls == nullptr) return finish(std::move(stream_));
    const std::string& server = target_.tls_server_name.empty() ? target_.host : target_.tls_server_name;
    step_ = tls_connect(loop_, std::move(stream_), target_.tls, server, target_.alpn, timeout_,
                        [this](auto result) {
                          if (!result) return finish(fail(result.error().with_prefix("through " + name())));
                          finish(std::move(result));
                        });
  }

  static std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 200)) out.push_back(c >= ' ' && c < 0x7f ? c : '?');
    return out;
  }

  void refuse(const std::string& why) { finish(fail(Code::kUnavailable, name() + ": " + why)); }
  void broken() {
    const std::string why = stream_->error().message();
    refuse(why.empty() ? "it closed the connection" : why);
  }

  // The callback may destroy this.
  void finish(Result<std::unique_ptr<Stream>> result) {
    overall_.cancel();
    step_.reset();
    stream_.reset();
    done_(std::move(result));
  }

  Loop& loop_;
  const Url proxy_;
  DialTarget target_;
  const milliseconds timeout_;
  Once<Result<std::unique_ptr<Stream>>> done_;
  Timer overall_;
  std::unique_ptr<Operation> step_;
  std::unique_ptr<Stream> stream_;
  std::string request_;
  std::string head_;
};

class ConnectDialer final : public Dialer {
 public:
  ConnectDialer(Dialer& direct, Url proxy, std::shared_ptr<TlsClientContext> proxy_tls)
      : direct_(direct), proxy_(std::move(proxy)), proxy_tls_(std::move(proxy_tls)) {}

  std::unique_ptr<Operation> dial(Loop& loop, DialTarget target, milliseconds timeout,
                                  StreamCallback callback) override {
    return std::make_unique<ProxiedDial>(direct_, loop, proxy_, proxy_tls_, std::move(target), timeout,
                                         std::move(callback));
  }

 private:
  Dialer& direct_;
  const Url proxy_;
  std::shared_ptr<TlsClientContext> proxy_tls_;
};

class ProxyDialer final : public Dialer {
 public:
  ProxyDialer(Dialer& direct, ProxySettings settings, std::shared_ptr<TlsClientContext> proxy_tls)
      : direct_(direct), settings_(std::move(settings)), proxy_tls_(std::move(proxy_tls)) {}

  std::unique_ptr<Operation> dial(Loop& loop, DialTarget target, milliseconds timeout,
                                  StreamCallback callback) override {
    const Url* const proxy = settings_.proxy_for(target.host, target.port, target.tls != nullptr);
    if (proxy == nullptr) return direct_.dial(loop, std::move(target), timeout, std::move(callback));
    return std::make_unique<ProxiedDial>(direct_, loop, *proxy, proxy_tls_, std::move(target), timeout,
                                         std::move(callback));
  }

 private:
  Dialer& direct_;
  ProxySettings settings_;
  std::shared_ptr<TlsClientContext> proxy_tls_;
};

}  // namespace

Result<ProxySettings> ProxySettings::from_environment(const Environment& environment) {
  ProxySettings settings;
  auto http = proxy_url(environment, "HTTP_PROXY");
  if (!http) return fail(http.error());
  auto https = proxy_url(environment, "HTTPS_PROXY");
  if (!https) return fail(https.error());
  settings.http_ = std::move(*http);
  settings.https_ = std::move(*https);
  const char* none = environment("NO_PROXY");
  if (none == nullptr || *none == '\0') none = environment("no_proxy");
  const std::string_view text = none == nullptr ? "" : none;
  settings.parse_exceptions(text);
  return settings;
}

void ProxySettings::parse_exceptions(std::string_view text) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    std::string entry = lower_case(trim(part));
    never_ = never_ || entry == "*";
    if (entry.empty() || entry == "*") continue;
    if (entry.find('/') != std::string::npos) {
      if (auto network = parse_network(entry)) exceptions_.push_back({.network = std::move(*network)});
      continue;
    }
    Exception exception;
    // An IPv6 address without brackets has colons, but no port.
    if (address_bytes(entry).empty()) {
      if (const auto split = parse_host_port(entry); split && split->port != 0) {
        exception.port = split->port;
        entry = split->host;
      }
    }
    if (entry.starts_with("*.")) entry.erase(0, 1);
    exception.subdomains_only = entry.starts_with('.');
    if (exception.subdomains_only) entry.erase(0, 1);
    exception.host = std::move(entry);
    exceptions_.push_back(std::move(exception));
  }
}

bool ProxySettings::excepted(std::string_view given, std::uint16_t port) const {
  const std::string host = plain_name(given);
  const std::string address = address_bytes(host);
  return std::any_of(exceptions_.begin(), exceptions_.end(), [&](const Exception& each) {
    if (!each.network.bytes.empty()) return each.network.contains(address);
    if (each.port != 0 && each.port != port) return false;
    if (!address.empty()) return address == address_bytes(each.host);
    if (host == each.host) return !each.subdomains_only;
    return !each.host.empty() && host.ends_with("." + each.host);
  });
}

const Url* ProxySettings::proxy_for(std::string_view host, std::uint16_t port, bool tls) const {
  const std::optional<Url>& proxy = tls ? https_ : http_;
  if (!proxy || never_ || is_loopback(plain_name(host)) || excepted(host, port)) return nullptr;
  return &*proxy;
}

std::unique_ptr<Dialer> proxy_dialer(Dialer& direct, ProxySettings settings,
                                     std::shared_ptr<TlsClientContext> proxy_tls) {
  return std::make_unique<ProxyDialer>(direct, std::move(settings), std::move(proxy_tls));
}

std::unique_ptr<Dialer> connect_dialer(Dialer& direct, Url proxy,
                                       std::shared_ptr<TlsClientContext> proxy_tls) {
  return std::make_unique<ConnectDialer>(direct, std::move(proxy), std::move(proxy_tls));
}

}  // namespace towline::io
