#include "tunnel/agent/tunnels.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/destruction_watch.h"
#include "base/proto_wire.h"
#include "io/loop.h"
#include "proto/methods.h"
#include "tunnel/wire.h"

namespace towline::tunnel {
namespace {

// How long a server may take to end a stream that was given up.
constexpr std::chrono::seconds kRetireGrace{2};

class Tunnels;

// One Connect stream. It is the client's end of the Connect call and, once the server has sent a request,
// what stands behind the server's end of that call.
class Tunnel final : public grpc::ClientCallHandler {
 public:
  explicit Tunnel(Tunnels& owner) : owner_(owner) {}
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  bool open(grpc::Channel& channel, const std::string& descriptor);
  /// Gives up an idle stream: half-closed without a header, which tells a server that has just sent a request
  /// that it was not looked at.
  void retire();

  void on_message(grpc::MessageView message) override;
  void on_sent(std::size_t bytes) override;
  void on_finish(Status status, grpc::Metadata trailers) override;

  bool retired() const { return state_ == State::kDone; }
  bool idle() const { return state_ == State::kIdle; }
  bool busy() const { return state_ == State::kBusy; }
  Clock::TimePoint idle_since() const { return idle_since_; }
  bool served() const { return served_; }

 private:
  friend class TunnelCall;
  enum class State { kIdle, kBusy, kDone };

  void send(const rpc::ConnectRequest& message);
  void start_call(const rpc::RequestInfo& info);
  void finish(const Status& status, const grpc::Metadata& trailers);

  Tunnels& owner_;
  State state_ = State::kIdle;
  Clock::TimePoint idle_since_{};
  bool served_ = false;
  bool header_sent_ = false;
  std::unique_ptr<grpc::ClientCall> connect_;
  class TunnelCall* call_ = nullptr;
};

// The server's end of a call that came through a tunnel; the handler of its method owns it.
class TunnelCall final : public grpc::ServerCall {
 public:
  TunnelCall(io::Loop& loop, Tunnel& tunnel) : loop_(loop), tunnel_(&tunnel) {}
  ~TunnelCall() override {
    if (tunnel_ == nullptr) return;
    tunnel_->call_ = nullptr;
    if (!finished_) tunnel_->finish(Status(Code::kCancelled, "the agent dropped the call"), {});
  }
  TunnelCall(const TunnelCall&) = delete;
  TunnelCall& operator=(const TunnelCall&) = delete;

  void set_handler(grpc::ServerCallHandler* handler) override { handler_ = handler; }

  void send_metadata(const grpc::Metadata& metadata) override {
    if (tunnel_ == nullptr || started_) return;
    started_ = true;
    tunnel_->header_sent_ = true;
    rpc::ConnectRequest message;
    to_map(metadata, *message.mutable_header()->mutable_meta());
    tunnel_->send(message);
  }

  using grpc::ServerCall::send;
  void send(grpc::MessageParts parts) override {
    if (tunnel_ == nullptr || finished_) return;
    send_metadata({});
    std::size_t size = 0;
    for (const auto& part : parts) size += part.size();
    const ProtoPrefix prefix = ProtoPrefix::nested(kRequestMessage, kMessageData, size);
    std::array<grpc::MessageView, kMaxParts> all{};
    std::size_t count = 0;
    all[count++] = prefix.bytes();
    for (const auto& part : parts.first(std::min(parts.size(), kMaxParts - 1))) all[count++] = part;
    tunnel_->connect_->send(grpc::MessageParts(all.data(), count));
  }

  void finish(const Status& status, const grpc::Metadata& trailers) override {
    if (tunnel_ == nullptr || finished_) return;
    if (status.ok()) send_metadata({});
    finished_ = true;
    tunnel_->finish(status, trailers);
  }
  void consume(std::size_t bytes) override {
    if (tunnel_ != nullptr && tunnel_->connect_) tunnel_->connect_->consume(bytes);
  }
  std::size_t unsent() const override {
    return tunnel_ == nullptr || !tunnel_->connect_ ? 0 : tunnel_->connect_->unsent();
  }
  io::Loop& loop() override { return loop_; }
  std::string_view peer() const override { return "tunnel"; }

 private:
  friend class Tunnel;
  // A message has at most a few prefixes and one body.
  static constexpr std::size_t kMaxParts = 8;

  void cancel(Status why) {
    tunnel_ = nullptr;
    if (handler_ != nullptr && !finished_) handler_->on_cancelled(std::move(why));
  }

  io::Loop& loop_;
  Tunnel* tunnel_;
  grpc::ServerCallHandler* handler_ = nullptr;
  bool started_ = false;
  bool finished_ = false;
};

class Tunnels final : public AgentTunnels {
 public:
  Tunnels(io::Loop& loop, grpc::Channel& channel, const grpc::Server& server, AgentTunnelOptions options,
          Logger log)
      : loop_(loop),
        channel_(channel),
        server_(server),
        options_(options),
        log_(std::move(log)),
        retire_timer_(loop, [this] { retire_idle(); }),
        reopen_timer_(loop, [this] { top_up(); }),
        retired_timer_(loop, [this] { drop_retired(); }) {
    describe();
    top_up();
    retire_timer_.start(options_.idle_timeout);
  }
  ~Tunnels() override {
    // Destroying a tunnel may call handlers of its call, which must not find a half-destroyed owner.
    closing_ = true;
    const auto last = std::move(tunnels_);
  }
  Tunnels(const Tunnels&) = delete;
  Tunnels& operator=(const Tunnels&) = delete;

  std::size_t idle() const override { return idle_; }
  std::size_t busy() const override { return tunnels_.size() - idle_; }

  void drain(std::move_only_function<void()> drained) override {
    draining_ = true;
    drained_ = std::move(drained);
    retire_timer_.cancel();
    reopen_timer_.cancel();
    for (Tunnel* tunnel : raw()) {
      if (tunnel->idle()) tunnel->retire();
    }
    check_drained();
  }

  io::Loop& loop() { return loop_; }
  const grpc::Server& server() const { return server_; }

  // A tunnel has got a request.
  void taken() {
    --idle_;
    if (idle_ < options_.min_idle) top_up();
  }
  void became_idle() { ++idle_; }
  // An idle tunnel will get no request any more. Servers usually end it at once; one that does not is not
  // waited for.
  void retired() {
    --idle_;
    if (!retired_timer_.armed()) retired_timer_.start(kRetireGrace);
  }

  // A tunnel's call is over. Destroys the tunnel.
  void remove(Tunnel* tunnel, const Status& status) {
    if (closing_) return;
    // Ended by the server before it had a use for it, well or ill.
    const bool useless = tunnel->idle() || (!tunnel->served() && !status.ok());
    if (tunnel->idle()) --idle_;
    tunnels_.erase(tunnel);
    if (draining_) return check_drained();
    if (useless) {
      // The server does not want streams: asking again at once would only burden both.
      log_.debug("tunnel ended unused", {{"status", status.to_string()}});
      if (!reopen_timer_.armed()) reopen_timer_.start(std::chrono::seconds(1));
    } else if (idle_ < options_.min_idle) {
      top_up();
    }
  }

 private:
  void describe() {
    rpc::ConnectRequest message;
    auto& services = *message.mutable_descriptor_()->mutable_agent_descriptor();
    rpc::Service* service = nullptr;
    for (const auto& [method, served] : server_.methods()) {
      const auto slash = method.rfind('/');
      const std::string name = method.substr(1, slash - 1);
      if (service == nullptr || service->name() != name) {
        service = services.add_services();
        service->set_name(name);
      }
      service->add_methods()->set_name(method.substr(slash + 1));
    }
    descriptor_ = message.SerializeAsString();
  }

  void top_up() {
    if (draining_ || closing_ || idle_ >= options_.min_idle) return;
    for (std::size_t i = 0; i < options_.step && tunnels_.size() < options_.max_streams; ++i) {
      auto tunnel = std::make_unique<Tunnel>(*this);
      if (!tunnel->open(channel_, descriptor_)) {
        // The connection has as many streams as the server allows; one of them will end, or the limit rises.
        if (!reopen_timer_.armed()) reopen_timer_.start(std::chrono::milliseconds(100));
        return;
      }
      Tunnel* key = tunnel.get();
      tunnels_.emplace(key, std::move(tunnel));
      ++idle_;
    }
  }

  void retire_idle() {
    const Clock::TimePoint oldest = loop_.now() - options_.idle_timeout;
    for (Tunnel* tunnel : raw()) {
      if (idle_ <= options_.min_idle) break;
      if (tunnel->idle() && tunnel->idle_since() <= oldest) tunnel->retire();
    }
    retire_timer_.start(options_.idle_timeout / 4);
  }

  void drop_retired() {
    std::erase_if(tunnels_, [](const auto& each) { return each.first->retired(); });
    check_drained();
  }

  std::vector<Tunnel*> raw() const {
    std::vector<Tunnel*> all;
    for (const auto& [tunnel, owned] : tunnels_) all.push_back(tunnel);
    return all;
  }

  void check_drained() {
    if (draining_ && tunnels_.empty() && drained_) std::exchange(drained_, {})();
  }

  io::Loop& loop_;
  grpc::Channel& channel_;
  const grpc::Server& server_;
  AgentTunnelOptions options_;
  Logger log_;
  std::string descriptor_;
  std::unordered_map<Tunnel*, std::unique_ptr<Tunnel>> tunnels_;
  std::size_t idle_ = 0;
  bool draining_ = false;
  bool closing_ = false;
  std::move_only_function<void()> drained_;
  io::Timer retire_timer_;
  io::Timer reopen_timer_;
  io::Timer retired_timer_;
};

Tunnel::~Tunnel() {
  if (call_ != nullptr)
    std::exchange(call_, nullptr)->cancel(Status(Code::kCancelled, "the tunnel is closed"));
}

bool Tunnel::open(grpc::Channel& channel, const std::string& descriptor) {
  connect_ = channel.call(method::kConnect, {}, this);
  if (connect_ == nullptr) return false;
  connect_->allow_pauses();  // a user who reads page by page
  idle_since_ = owner_.loop().now();
  connect_->send(grpc::message_view(descriptor));
  return true;
}

void Tunnel::retire() {
  state_ = State::kDone;
  owner_.retired();
  connect_->half_close();
}

void Tunnel::send(const rpc::ConnectRequest& message) {
  if (!connect_) return;
  const std::string bytes = message.SerializeAsString();
  connect_->send(grpc::message_view(bytes));
}

void Tunnel::on_message(grpc::MessageView message) {
  const std::string_view bytes = grpc::text_view(message);
  const auto field = sole_field(bytes);
  if (field && field->number == kResponseMessage) {
    const auto data = sole_field(field->value);
    const std::string_view payload = data ? data->value : std::string_view{};
    connect_->consume(bytes.size() - payload.size());
    if (call_ == nullptr || call_->handler_ == nullptr || call_->finished_)
      return connect_->consume(payload.size());
    return call_->handler_->on_message(grpc::message_view(payload));
  }
  connect_->consume(bytes.size());
  rpc::ConnectResponse response;
  if (!response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  if (response.has_request_info() && state_ == State::kIdle) return start_call(response.request_info());
  if (response.has_close_send() && call_ != nullptr && call_->handler_ != nullptr && !call_->finished_) {
    call_->handler_->on_half_close();
  }
}

void Tunnel::start_call(const rpc::RequestInfo& info) {
  state_ = State::kBusy;
  served_ = true;
  owner_.taken();
  const grpc::CallHandler* handler = owner_.server().find(info.method_name());
  if (handler == nullptr) {
    return finish(Status(Code::kUnimplemented, "the agent has no method " + info.method_name()), {});
  }
  auto call = std::make_unique<TunnelCall>(owner_.loop(), *this);
  call_ = call.get();
  (*handler)({.method = info.method_name(), .metadata = from_map(info.meta()), .call = std::move(call)});
}

void Tunnel::finish(const Status& status, const grpc::Metadata& trailers) {
  if (!connect_) return;
  rpc::ConnectRequest message;
  if (header_sent_) {
    to_map(trailers, *message.mutable_trailer()->mutable_meta());
    send(message);
  }
  if (!status.ok()) {
    message.mutable_error()->mutable_status()->set_code(static_cast<int>(status.code()));
    message.mutable_error()->mutable_status()->set_message(status.message());
    send(message);
  }
  connect_->half_close();
}

void Tunnel::on_sent(std::size_t bytes) {
  if (call_ != nullptr && call_->handler_ != nullptr && !call_->finished_) call_->handler_->on_sent(bytes);
}

void Tunnel::on_finish(Status status, grpc::Metadata) {
  connect_.reset();
  if (call_ != nullptr)
    std::exchange(call_, nullptr)
        ->cancel(status.ok() ? Status(Code::kCancelled, "the server ended the call") : status);
  owner_.remove(this, status);
}

}  // namespace

std::unique_ptr<AgentTunnels> start_tunnels(io::Loop& loop, grpc::Channel& channel,
                                            const grpc::Server& server, AgentTunnelOptions options,
                                            Logger log) {
  return std::make_unique<Tunnels>(loop, channel, server, options, std::move(log));
}

}  // namespace towline::tunnel
