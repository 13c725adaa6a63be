#include "tunnel/server/server_tunnel.h"

#include <array>
#include <utility>

#include "base/proto_wire.h"
#include "grpc/frame.h"
#include "tunnel/server/routed_call.h"

namespace towline::tunnel {
namespace {

// A caller on another loop hears of bytes that have left in steps of this size: often enough to keep a relay
// with several times as much in flight going, rarely enough that a small request costs no wake-up.
constexpr std::size_t kSentStep = 32 * 1024;

}  // namespace

void ServerTunnel::accept(std::shared_ptr<Registry> registry, const Router::Authenticate& authenticate,
                          grpc::IncomingCall call) {
  auto tunnel = std::make_shared<ServerTunnel>(std::move(registry), std::move(call.call));
  tunnel->keep_ = tunnel;
  tunnel->call_->set_handler(tunnel.get());
  authenticate(*tunnel->call_, call.metadata,
               [tunnel](Result<TunnelOwner> owner) { tunnel->authenticated(std::move(owner)); });
}

ServerTunnel::ServerTunnel(std::shared_ptr<Registry> registry, std::unique_ptr<grpc::ServerCall> call)
    : registry_(std::move(registry)),
      loop_(call->loop()),
      call_(std::move(call)),
      connection_(call_->liveness()) {}

void ServerTunnel::authenticated(Result<TunnelOwner> owner) {
  if (!call_) return;
  if (!owner) return close(owner.error());
  owner_ = std::move(*owner);
  if (Status status = registry_->enter(shared_from_this()); !status.ok()) return terminate(status);
  authenticated_ = true;
  call_->caller_is_known();
  call_->set_stream_limit(registry_->options().agent_streams);
  // An upload that its cluster does not read is legal, however long.
  call_->allow_pauses();
  if (half_closed_) return close(Status());
  if (described_) return offer();
  deadline_.emplace(loop_, [this] { expired(); });
  deadline_->start(registry_->options().descriptor_time);
}

void ServerTunnel::expired() {
  const auto self = shared_from_this();
  if (!offered_) return terminate(Status(Code::kDeadlineExceeded, "the tunnel's descriptor has not come"));
  // The agent has said how the call ended, and that is all it will ever say.
  half_closed_ = true;
  call_over();
  call_.reset();
  close(Status());
}

void ServerTunnel::take_descriptor(const rpc::ConnectRequest& request) {
  if (!request.has_descriptor_()) {
    return close(
        Status(Code::kInvalidArgument, "the first message of a Connect stream must be its descriptor"));
  }
  const auto& services = request.descriptor_().agent_descriptor().services();
  int count = 0;
  for (const rpc::Service& service : services) count += service.methods_size();
  if (services.size() > kMaxServices || count > kMaxMethods) {
    return close(Status(Code::kResourceExhausted, "a tunnel offers at most " + std::to_string(kMaxServices) +
                                                      " services and " + std::to_string(kMaxMethods) +
                                                      " methods"));
  }
  Methods methods;
  for (const rpc::Service& service : services) {
    for (const rpc::Method& method : service.methods()) {
      methods.insert("/" + service.name() + "/" + method.name());
    }
  }
  described_ = std::move(methods);
  if (authenticated_) offer();
}

void ServerTunnel::offer() {
  const auto self = shared_from_this();
  offered_ = true;
  if (deadline_) deadline_->cancel();
  if (Status status = registry_->offer(self, std::move(*described_)); !status.ok()) return close(status);
  *described_ = {};
  if (auto waiter = registry_->put(self)) RoutedCall::assign(registry_, std::move(waiter), self);
}

void ServerTunnel::begin(const std::shared_ptr<Link>& link, const std::string& request_info) {
  link_ = link;
  link->tunnel = this;
  taken_ = true;
  if (!call_) return answer_caller(Status(Code::kAborted, "the agent closed the tunnel"), {});
  call_->set_message_limit(grpc::kMaxMessage);
  call_->send(grpc::message_view(request_info));
}

void ServerTunnel::send(grpc::MessageParts parts) {
  if (!call_) return;
  std::size_t size = 0;
  for (const auto& part : parts) size += part.size();
  accepted_ += size;
  const ProtoPrefix prefix = ProtoPrefix::nested(kResponseMessage, kMessageData, size);
  std::array<grpc::MessageView, 8> all{};
  std::size_t count = 0;
  all[count++] = prefix.bytes();
  for (const auto& part : parts.first(std::min(parts.size(), all.size() - 1))) all[count++] = part;
  call_->send(grpc::MessageParts(all.data(), count));
}

void ServerTunnel::close_send() {
  if (!call_) return;
  rpc::ConnectResponse message;
  message.mutable_close_send();
  const std::string bytes = message.SerializeAsString();
  call_->send(grpc::message_view(bytes));
}

void ServerTunnel::cancel() {
  if (link_) link_->tunnel = nullptr;
  link_.reset();
  close(Status(Code::kCancelled, "the client cancelled the request"));
}

void ServerTunnel::terminate(const Status& why) {
  answer_caller(Status(Code::kUnavailable, why.message()), {});
  if (call_ && why.code() == Code::kUnauthenticated) call_->close_connection();
  close(why);
}

void ServerTunnel::on_message(grpc::MessageView message) {
  const std::string_view bytes = grpc::text_view(message);
  const auto field = taken_ ? sole_field(bytes) : std::nullopt;
  if (field && field->number == kRequestMessage && link_) {
    const auto data = sole_field(field->value);
    const std::string_view payload = data ? data->value : std::string_view{};
    agent_answered_ = true;
    call_->consume(bytes.size() - payload.size());
    return RoutedCall::deliver_message(*link_, grpc::message_view(payload));
  }
  const auto self = shared_from_this();
  call_->consume(bytes.size());
  rpc::ConnectRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return terminate(Status(Code::kInvalidArgument, "malformed ConnectRequest"));
  }
  if (taken_) return take_answer(request);
  if (described_ || offered_) {
    return terminate(Status(Code::kInvalidArgument, "an idle Connect stream may not send messages"));
  }
  take_descriptor(request);
}

void ServerTunnel::take_answer(const rpc::ConnectRequest& request) {
  agent_answered_ = true;
  if (request.has_header() && link_) RoutedCall::deliver_metadata(*link_, from_map(request.header().meta()));
  if (request.has_trailer()) trailers_ = from_map(request.trailer().meta());
  if (request.has_error()) {
    const auto& status = request.error().status();
    const int code =
        status.code() > 0 && status.code() <= 16 ? status.code() : static_cast<int>(Code::kUnknown);
    error_ = Status(static_cast<Code>(code), status.message());
  }
  if (!trailers_ && !error_) return;
  if (!deadline_) deadline_.emplace(loop_, [this] { expired(); });
  if (!deadline_->armed()) deadline_->start(registry_->options().end_grace);
}

void ServerTunnel::on_half_close() {
  const auto self = shared_from_this();
  half_closed_ = true;
  if (!authenticated_) return;  // who it was is still to be said
  if (taken_) call_over();
  close(Status());
}

// Tells the caller how the agent ended its call.
void ServerTunnel::call_over() {
  Status status;
  if (error_) {
    status = *error_;
  } else if (!agent_answered_) {
    status = Status(Code::kAborted, "the agent closed the tunnel");
  } else if (!trailers_) {
    status = Status(Code::kUnavailable, "the agent ended the call without a status");
  }
  answer_caller(std::move(status), trailers_ ? std::move(*trailers_) : grpc::Metadata{});
}

void ServerTunnel::on_sent(std::size_t) {
  if (!link_) return;
  if (link_->same_loop()) return RoutedCall::deliver_sent(*link_, 0);
  const std::size_t left = accepted_ - std::min(accepted_, call_->unsent());
  if (left < reported_ + kSentStep) return;
  reported_ = left;
  RoutedCall::deliver_sent(*link_, left);
}

void ServerTunnel::on_cancelled(Status why) {
  const auto self = shared_from_this();
  call_.reset();
  answer_caller(Status(Code::kUnavailable, "the connection to the agent was lost: " + why.message()), {});
  close(why);
}

void ServerTunnel::answer_caller(Status status, grpc::Metadata trailers) {
  const auto link = std::exchange(link_, nullptr);
  if (!link) return;
  link->tunnel = nullptr;
  RoutedCall::deliver_finish(*link, std::move(status), std::move(trailers));
}

void ServerTunnel::close(const Status& to_agent) {
  const auto self = std::exchange(keep_, nullptr);
  if (!self) return;
  if (call_ && call_->unsent() == 0) call_->finish(to_agent);
  call_.reset();
  deadline_.reset();
  for (std::shared_ptr<Link>& waiter : registry_->remove(self)) {
    io::Loop& loop = waiter->caller_loop();
    loop.post([link = std::move(waiter)] {
      RoutedCall::fail(*link, Status(Code::kUnavailable, "the agent has disconnected"));
    });
  }
}

}  // namespace towline::tunnel
