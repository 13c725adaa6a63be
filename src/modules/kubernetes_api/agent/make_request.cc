#include "modules/kubernetes_api/agent/make_request.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/proto_wire.h"
#include "http/fields.h"
#include "io/loop.h"
#include "modules/kubernetes_api/wire.h"

namespace towline::kubernetes_api {
namespace {

namespace grpctool = ::gitlab::agent::grpctool;
namespace rpc = ::gitlab::agent::kubernetes_api::rpc;

bool has_impersonation(const http::Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (name.starts_with("impersonate-")) return true;
  }
  return false;
}

void add_impersonation(http::Headers& headers, const rpc::ImpersonationConfig& config) {
  headers.add("impersonate-user", config.username());
  for (const std::string& group : config.groups()) headers.add("impersonate-group", group);
  if (!config.uid().empty()) headers.add("impersonate-uid", config.uid());
  for (const rpc::ExtraKeyVal& extra : config.extra()) {
    // Keys are percent-encoded, since they may hold what header names may not.
    const std::string name = "impersonate-extra-" + percent_encode(extra.key());
    for (const std::string& value : extra.val()) headers.add(name, value);
  }
}

bool is_set(const rpc::ImpersonationConfig& config) {
  return !config.username().empty() || config.groups_size() > 0 || !config.uid().empty() ||
         config.extra_size() > 0;
}

// The target as the client sent it, or from its decoded parts; empty: it is none.
std::string target_of(const ::gitlab::agent::prototool::HttpRequest& request) {
  const std::string& raw = request.raw_target();
  const auto breaks = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; };
  if (!raw.empty()) return raw.front() != '/' || std::ranges::any_of(raw, breaks) ? std::string() : raw;
  std::string target = encode_path(request.url_path().empty() ? "/" : request.url_path());
  if (request.query_size() > 0) target += "?" + query_from_map(request.query());
  return target;
}

// One call: gRPC messages on one side, an HTTP exchange with the cluster's API on the other. Keeps itself.
class Relay final : public grpc::ServerCallHandler {
 public:
  static void start(kube::Client& client, MakeRequestOptions options, grpc::IncomingCall incoming) {
    auto relay = std::make_unique<Relay>(client, options, std::move(incoming));
    Relay& self = *relay;
    self.keep_ = std::move(relay);
  }
  Relay(kube::Client& client, MakeRequestOptions options, grpc::IncomingCall incoming)
      : client_(client),
        options_(options),
        call_(std::move(incoming.call)),
        first_byte_(call_->loop(), [this] {
          fail(Status(Code::kDeadlineExceeded, "agentk: the Kubernetes API did not answer in time"));
        }) {
    call_->set_handler(this);
  }

  // The server's side.
  void on_message(grpc::MessageView message) override {
    const std::string_view bytes = grpc::text_view(message);
    const auto branch = sole_field(bytes);
    if (!branch) return fail(Status(Code::kInvalidArgument, "agentk: malformed request message"));
    switch (branch->number) {
      case kHeader:
        call_->consume(bytes.size());
        return begin(bytes);
      case kData:
      case kUpgradeData:
        return forward(bytes.size(), branch->value);
      case kTrailer:
        call_->consume(bytes.size());
        request_complete();
        return;
      default:
        call_->consume(bytes.size());
    }
  }
  void on_half_close() override {
    if (!exchange_) return fail(Status(Code::kInvalidArgument, "agentk: the call ended without a request"));
    half_closed_ = true;
    if (upgrade_) exchange_->end();
    if (!request_ended_) request_complete();
  }
  void on_sent(std::size_t) override { pull_response(); }
  void on_cancelled(Status) override { const auto last = std::move(keep_); }

 private:
  // The cluster's side; a class of its own because both sides have an on_sent.
  class ApiSide final : public http::ExchangeHandler {
   public:
    explicit ApiSide(Relay& relay) : relay_(relay) {}
    void on_response(http::ResponseHead head, bool end) override {
      relay_.api_response(std::move(head), end);
    }
    void on_body(std::span<const std::byte> data) override { relay_.api_body(data); }
    void on_end(http::Headers) override { relay_.finish(); }
    void on_sent(std::size_t) override { relay_.give_back_request(); }
    void on_failed(Status status) override { relay_.api_failed(status); }

   private:
    Relay& relay_;
  };

  void api_response(http::ResponseHead head, bool end) {
    first_byte_.cancel();
    upgrade_ = head.status == 101;
    // A reader far away may pause for as long as it likes, as with a direct connection.
    if (upgrade_ || !head.content_length) exchange_->allow_pauses();
    send_header(head);
    if (upgrade_) send_trailer();
    if (upgrade_ && half_closed_) exchange_->end();
    if (end) finish();
  }
  void api_body(std::span<const std::byte> data) {
    from_api_.received(data.size());
    const std::uint32_t branch = upgrade_ ? kUpgradeData : kData;
    for (std::size_t at = 0; at < data.size(); at += kMaxPiece) {
      const auto piece = data.subspan(at, std::min(kMaxPiece, data.size() - at));
      const ProtoPrefix prefix = ProtoPrefix::nested(branch, kBytes, piece.size());
      const std::array<grpc::MessageView, 2> parts = {prefix.bytes(), piece};
      call_->send(grpc::MessageParts(parts));
    }
    pull_response();
  }
  void api_failed(const Status& status) {
    // Codes that would tell the server about the call and not about the cluster: that it was cancelled, may
    // be made again, is too much for the agent.
    const bool own = status.code() == Code::kCancelled || status.code() == Code::kAborted ||
                     status.code() == Code::kResourceExhausted;
    const Code code = own ? Code::kUnavailable : status.code();
    fail(Status(code, "agentk: " + status.message()));
  }

  void give_back_request() {
    if (!exchange_) return;
    if (const std::size_t bytes = from_server_.take(exchange_->unsent())) call_->consume(bytes);
  }

  void begin(std::string_view bytes) {
    HeaderArena arena;
    auto& message = arena.make<grpctool::HttpRequest>();
    if (exchange_ || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
        !message.has_header()) {
      return fail(Status(Code::kInvalidArgument, "agentk: malformed request header"));
    }
    const auto& request = message.header().request();
    http::RequestHead head;
    head.method = request.method();
    head.headers = from_map(request.header());
    head.target = target_of(request);
    if (head.target.empty() || !http::is_token(head.method)) {
      return fail(Status(Code::kInvalidArgument, "agentk: malformed request line"));
    }
    if (const auto upgrade = head.headers.get("upgrade");
        upgrade && head.headers.has_token("connection", "upgrade")) {
      head.upgrade = std::string(*upgrade);
    }
    http::remove_hop_by_hop(head.headers);
    head.headers.remove("host");
    head.headers.remove("content-length");
    head.headers.remove("authorization");
    head.headers.add("via", "gRPC/1.0 agentk");

    rpc::HeaderExtra extra;
    if (!extra.ParseFromString(message.header().extra().value())) {
      return fail(Status(Code::kInvalidArgument, "agentk: malformed impersonation"));
    }
    if (is_set(extra.imp_config())) {
      if (has_impersonation(head.headers)) {
        return fail(
            Status(Code::kInvalidArgument,
                   "agentk: the request impersonates somebody, but access to this agent is already by "
                   "impersonation (access_as); use one of the two"));
      }
      add_impersonation(head.headers, extra.imp_config());
    }
    bool no_body = !head.upgrade.empty();
    if (message.header().has_content_length()) {
      const std::int64_t length = message.header().content_length();
      no_body = no_body || length == 0;
      if (length > 0) head.content_length = static_cast<std::uint64_t>(length);
    }
    no_body_ = no_body;
    exchange_ = client_.start(std::move(head), no_body, &side_);
  }

  void forward(std::size_t message_size, std::string_view body) {
    const auto data = sole_field(body);
    const std::string_view payload = data ? data->value : std::string_view{};
    if (!exchange_) return fail(Status(Code::kInvalidArgument, "agentk: body before header"));
    exchange_->write(grpc::message_view(payload));
    from_server_.received(message_size);
    give_back_request();
  }

  void request_complete() {
    request_ended_ = true;
    if (!exchange_) return;
    if (!no_body_) exchange_->end();
    if (!answered_) first_byte_.start(options_.first_byte_timeout);
  }

  void send_header(http::ResponseHead& head) {
    answered_ = true;
    HeaderArena arena;
    auto& message = arena.make<grpctool::HttpResponse>();
    auto& response = *message.mutable_header()->mutable_response();
    response.set_status_code(head.status);
    response.set_status(std::to_string(head.status) + " " + std::string(http::reason_phrase(head.status)));
    if (head.content_length) head.headers.add("content-length", std::to_string(*head.content_length));
    if (upgrade_) {
      head.headers.set("connection", "Upgrade");
      head.headers.set("upgrade", head.upgrade);
    }
    head.headers.add("via", "1.1 agentk");
    to_map(head.headers, *response.mutable_header());
    const std::string bytes = message.SerializeAsString();
    call_->send(grpc::message_view(bytes));
  }
  void send_trailer() { call_->send(grpc::message_view(kTrailerMessage)); }

  void pull_response() {
    if (!exchange_) return;
    if (const std::size_t bytes = from_api_.take(call_->unsent())) exchange_->consume(bytes);
  }

  // Credit that is not given back would keep the tunnel's end, which comes behind what nobody reads any more,
  // from being heard.
  void finish() {
    const auto last = std::move(keep_);
    call_->consume(from_server_.take_all());
    if (!upgrade_) send_trailer();
    call_->finish(Status());
  }
  void fail(const Status& why) {
    const auto last = std::move(keep_);
    call_->consume(from_server_.take_all());
    call_->finish(why);
  }

  std::unique_ptr<Relay> keep_;

  kube::Client& client_;
  MakeRequestOptions options_;
  std::unique_ptr<grpc::ServerCall> call_;
  ApiSide side_{*this};
  std::unique_ptr<http::ClientExchange> exchange_;
  RelayCredit from_server_;
  RelayCredit from_api_;
  io::Timer first_byte_;
  bool no_body_ = false;
  bool upgrade_ = false;
  bool request_ended_ = false;
  bool answered_ = false;
  bool half_closed_ = false;
};

}  // namespace

grpc::CallHandler make_request_handler(kube::Client& client, MakeRequestOptions options) {
  return [&client, options](grpc::IncomingCall call) { Relay::start(client, options, std::move(call)); };
}

}  // namespace towline::kubernetes_api
