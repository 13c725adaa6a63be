#include "tunnel/server/routed_call.h"

#include <utility>

#include "tunnel/server/server_tunnel.h"

namespace towline::tunnel {

RoutedCall::RoutedCall(io::Loop& loop, std::shared_ptr<Registry> registry, std::int64_t agent_id,
                       std::string request_info, grpc::ClientCallHandler* handler)
    : loop_(loop),
      registry_(std::move(registry)),
      link_(std::make_shared<Link>(loop)),
      agent_id_(agent_id),
      request_info_(std::move(request_info)),
      handler_(handler),
      wait_(loop, [this] {
        // Not found: a tunnel is on its way to us.
        if (!registry_->stop_waiting(agent_id_, *link_)) return;
        finish(Status(Code::kUnavailable, "the agent is connected but had no free tunnel in time"), {});
      }) {
  link_->caller = this;
}

RoutedCall::~RoutedCall() {
  link_->caller = nullptr;
  release();
  if (finished_) return;
  if (!tunnel_) {
    registry_->stop_waiting(agent_id_, *link_);
    return;
  }
  if (link_->same_loop()) {
    if (link_->tunnel != nullptr) link_->tunnel->cancel();
  } else {
    link_->to_tunnel([link = link_] {
      if (link->tunnel != nullptr) link->tunnel->cancel();
    });
  }
}

void RoutedCall::start(const std::string& method, std::chrono::milliseconds wait) {
  Registry::Acquired acquired = registry_->acquire(agent_id_, method, link_);
  if (auto* status = std::get_if<Status>(&acquired)) {
    loop_.post([link = link_, why = std::move(*status)]() mutable { fail(*link, std::move(why)); });
    return;
  }
  counted_ = true;
  if (auto* tunnel = std::get_if<std::shared_ptr<ServerTunnel>>(&acquired)) return use(std::move(*tunnel));
  wait_.start(wait);
}

void RoutedCall::assign(const std::shared_ptr<Registry>& registry, std::shared_ptr<Link> link,
                        std::shared_ptr<ServerTunnel> tunnel) {
  io::Loop& loop = link->caller_loop();
  loop.post([registry, link = std::move(link), tunnel = std::move(tunnel)]() mutable {
    if (link->caller != nullptr) return link->caller->use(std::move(tunnel));
    if (auto next = registry->put(tunnel)) assign(registry, std::move(next), std::move(tunnel));
  });
}

void RoutedCall::use(std::shared_ptr<ServerTunnel> tunnel) {
  wait_.cancel();
  tunnel_ = std::move(tunnel);
  link_->set_tunnel_loop(tunnel_->loop());
  if (link_->same_loop()) {
    tunnel_->begin(link_, request_info_);
  } else {
    link_->to_tunnel(
        [link = link_, target = tunnel_, info = std::move(request_info_)] { target->begin(link, info); });
  }
  for (const std::string& message : std::exchange(early_, {})) {
    const grpc::MessageView view = grpc::message_view(message);
    send_now(grpc::MessageParts(&view, 1), view.size());
  }
  early_bytes_ = 0;
  if (closed_early_) half_close();
}

void RoutedCall::send(grpc::MessageParts parts) {
  if (finished_) return;
  std::size_t size = 0;
  for (const auto& part : parts) size += part.size();
  if (tunnel_) return send_now(parts, size);
  std::string& message = early_.emplace_back();
  message.reserve(size);
  for (const auto& part : parts) message.append(grpc::text_view(part));
  early_bytes_ += size;
}

void RoutedCall::send_now(grpc::MessageParts parts, std::size_t size) {
  if (link_->same_loop()) {
    if (link_->tunnel != nullptr) link_->tunnel->send(parts);
    return;
  }
  std::string message;
  message.reserve(size);
  for (const auto& part : parts) message.append(grpc::text_view(part));
  given_ += size;
  link_->to_tunnel([link = link_, message = std::move(message)] {
    const grpc::MessageView view = grpc::message_view(message);
    if (link->tunnel != nullptr) link->tunnel->send(grpc::MessageParts(&view, 1));
  });
}

void RoutedCall::half_close() {
  if (finished_) return;
  if (!tunnel_) {
    closed_early_ = true;
    return;
  }
  if (link_->same_loop()) {
    if (link_->tunnel != nullptr) link_->tunnel->close_send();
  } else {
    link_->to_tunnel([link = link_] {
      if (link->tunnel != nullptr) link->tunnel->close_send();
    });
  }
}

void RoutedCall::consume(std::size_t bytes) {
  if (finished_ || !tunnel_ || bytes == 0) return;
  if (link_->same_loop()) {
    if (link_->tunnel != nullptr) link_->tunnel->consume(bytes);
  } else {
    link_->to_tunnel([link = link_, bytes] {
      if (link->tunnel != nullptr) link->tunnel->consume(bytes);
    });
  }
}

std::size_t RoutedCall::unsent() const {
  if (finished_) return 0;
  if (!tunnel_) return early_bytes_;
  if (!link_->same_loop()) return given_ - left_;
  return link_->tunnel == nullptr ? 0 : link_->tunnel->unsent();
}

void RoutedCall::fail(Link& link, Status status) {
  if (link.caller != nullptr) link.caller->finish(std::move(status), {});
}

void RoutedCall::finish(Status status, grpc::Metadata trailers) {
  if (finished_) return;
  finished_ = true;
  wait_.cancel();
  release();
  tunnel_.reset();
  handler_->on_finish(std::move(status), std::move(trailers));
}

void RoutedCall::release() {
  if (std::exchange(counted_, false)) registry_->release(agent_id_);
}

void RoutedCall::deliver_metadata(Link& link, grpc::Metadata metadata) {
  if (link.same_loop()) {
    if (link.caller != nullptr) link.caller->handler_->on_metadata(std::move(metadata));
    return;
  }
  link.to_caller([self = link.shared_from_this(), metadata = std::move(metadata)]() mutable {
    RoutedCall* caller = self->caller;
    if (caller != nullptr && !caller->finished_) caller->handler_->on_metadata(std::move(metadata));
  });
}

void RoutedCall::deliver_message(Link& link, grpc::MessageView message) {
  if (link.same_loop()) {
    if (link.caller != nullptr) link.caller->handler_->on_message(message);
    return;
  }
  link.to_caller([self = link.shared_from_this(), copy = std::string(grpc::text_view(message))] {
    RoutedCall* caller = self->caller;
    if (caller != nullptr && !caller->finished_) caller->handler_->on_message(grpc::message_view(copy));
  });
}

void RoutedCall::deliver_sent(Link& link, std::size_t total) {
  if (link.same_loop()) {
    if (link.caller != nullptr) link.caller->handler_->on_sent(0);
    return;
  }
  link.to_caller([self = link.shared_from_this(), total] {
    RoutedCall* caller = self->caller;
    if (caller == nullptr || caller->finished_) return;
    caller->left_ = total;
    caller->handler_->on_sent(0);
  });
}

void RoutedCall::deliver_finish(Link& link, Status status, grpc::Metadata trailers) {
  if (link.same_loop()) {
    // The end of a call that failed as it began must not come from inside the call that began it.
    if (status.code() == Code::kAborted) {
      link.caller_loop().post([self = link.shared_from_this(), status = std::move(status)]() mutable {
        fail(*self, std::move(status));
      });
      return;
    }
    if (link.caller != nullptr) link.caller->finish(std::move(status), std::move(trailers));
    return;
  }
  link.to_caller(
      [self = link.shared_from_this(), status = std::move(status), trailers = std::move(trailers)]() mutable {
        if (self->caller != nullptr) self->caller->finish(std::move(status), std::move(trailers));
      });
}

}  // namespace towline::tunnel
