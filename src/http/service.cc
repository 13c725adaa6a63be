#include "http/service.h"

#include <algorithm>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "http/send_pieces.h"
#include "io/loop.h"

namespace towline::http {
namespace {

// What a request costs besides the bytes of its body, so that bodies which hardly begin count as well.
constexpr std::size_t kBodyOverhead = 4 * 1024;

Response busy(std::string_view why) {
  Response response = json_message(503, why);
  response.headers.add("retry-after", "1");
  return response;
}

Reply answer_safely(Service& service, const Request& request, const Visitor& visitor) {
  try {
    return service.answer(request, visitor);
  } catch (const std::exception& error) {
    return json_message(500, std::string("internal error: ") + error.what());
  }
}

std::shared_ptr<const Visitor> identify_safely(Service& service, const Request& request) {
  try {
    return service.identify(request);
  } catch (const std::exception& error) {
    Visitor visitor;
    visitor.refusal = json_message(500, std::string("internal error: ") + error.what());
    return std::make_shared<const Visitor>(std::move(visitor));
  }
}

// The service, its limits and what is held of them.
struct House {
  House(Service& its_service, const ServiceLimits& its_limits)
      : service(its_service),
        limits(its_limits),
        bodies(Budget::make("bytes of requests", {.per_caller = limits.bodies_of_user,
                                                  .per_address = limits.bodies_of_address,
                                                  .of_strangers = limits.bodies_of_strangers,
                                                  .of_all = limits.bodies})),
        answers(Budget::make("bytes of answers", {.per_caller = limits.answers_of_user,
                                                  .per_address = limits.answers_of_address,
                                                  .of_strangers = limits.answers_of_strangers,
                                                  .of_all = limits.answers})),
        slow(Budget::make("requests to agents", {.per_caller = limits.slow_of_user,
                                                 .per_address = limits.slow_of_user,
                                                 .of_strangers = limits.slow_of_user,
                                                 .of_all = limits.slow})) {}
  Service& service;
  const ServiceLimits limits;
  const std::shared_ptr<Budget> bodies;
  const std::shared_ptr<Budget> answers;
  const std::shared_ptr<Budget> slow;
};

// One request, from its head to its answer. While a pool has it, the pool's thread touches request_, visitor_
// and reply_ (the body is gathered elsewhere), and the loop everything else; the task that returns to the
// loop owns it. Else it owns itself.
class Visit final : public ExchangeHandler, public std::enable_shared_from_this<Visit> {
 public:
  Visit(std::shared_ptr<const House> house, RequestHead head, bool has_body,
        std::unique_ptr<ServerExchange> exchange)
      : house_(std::move(house)),
        request_{.head = std::move(head), .peer = std::string(exchange->peer())},
        ended_(!has_body),
        has_body_(has_body),
        exchange_(std::move(exchange)),
        loop_(exchange_->loop()),
        timer_(loop_, [this] { slow_time_is_up(); }) {}

  void begin() {
    exchange_->set_handler(this);
    if (!house_->service.bears_credentials(request_.head)) {
      Visitor stranger;
      stranger.who = io::Caller::address(request_.peer);
      visitor_ = std::make_shared<const Visitor>(std::move(stranger));
      return enter();
    }
    start_clock();
    const Status accepted = house_->service.doorkeepers().submit(
        loop_, io::Caller::address(request_.peer),
        [this, &service = house_->service] { visitor_ = identify_safely(service, request_); },
        [self = shared_from_this()] { self->enter(); }, interrupt_);
    if (!accepted.ok()) refuse(busy(accepted.message()));
  }

  void on_body(std::span<const std::byte> data) override {
    body_.append(reinterpret_cast<const char*>(data.data()), data.size());
    if (collecting_) take(data.size());
  }
  void on_end(Headers) override {
    ended_ = true;
    if (collecting_) work();
  }
  void on_failed(Status) override {
    if (interrupt_) interrupt_->cancel();
    exchange_.reset();
    end();
  }

 private:
  void start_clock() {
    interrupt_ = std::make_shared<Interrupt>(loop_.clock(), kAnswerTime);
    request_.interrupt = interrupt_;
  }

  // It is known who it is.
  void enter() {
    if (exchange_ == nullptr) return;
    if (visitor_ == nullptr) return refuse(busy("the request has waited too long for its turn"));
    if (visitor_->refusal) return refuse(Response(*visitor_->refusal));
    if (!visitor_->who.is_stranger()) exchange_->peer_is_known();
    if (!has_body_) return work();
    held_ = house_->bodies->part(visitor_->who);
    limit_ = visitor_->who.is_stranger() ? house_->limits.stranger_body : house_->limits.body;
    if (request_.head.content_length.value_or(0) > limit_) return refuse(too_large());
    if (const Status status = held_.grow(kBodyOverhead); !status.ok()) return refuse(busy(status.message()));
    self_ = shared_from_this();
    collecting_ = true;
    if (!take(body_.size())) return;
    if (ended_) work();
  }

  Response too_large() const {
    return json_message(413,
                        "the request's body is larger than " + std::to_string(limit_) + " bytes" +
                            (visitor_->who.is_stranger() ? ", the limit for those who do not log in" : ""));
  }

  // Counts `bytes` more of the body, and lets as many follow. False when they are too many: all is over.
  bool take(std::size_t bytes) {
    if (body_.size() > limit_) return refuse(too_large()), false;
    if (const Status status = held_.grow(bytes); !status.ok()) return refuse(busy(status.message())), false;
    exchange_->consume(bytes);  // by nothing, too: it answers "Expect: 100-continue"
    return true;
  }

  void work() {
    collecting_ = false;
    start_clock();
    request_.body = std::move(body_);
    const auto self = shared_from_this();
    self_.reset();
    const Status accepted = house_->service.workers(request_.head)
                                .submit(
                                    loop_, visitor_->who,
                                    [this, &service = house_->service] {
                                      reply_.emplace(answer_safely(service, request_, *visitor_));
                                    },
                                    [self] { self->answered(); }, interrupt_);
    if (!accepted.ok()) refuse(busy(accepted.message()));
  }

  void answered() {
    if (exchange_ == nullptr) return;
    if (!reply_) return refuse(busy("the request has waited too long for its turn"));
    if (auto* response = std::get_if<Response>(&*reply_)) return give(std::move(*response));
    self_ = shared_from_this();
    held_slow_ = house_->slow->part(visitor_->who);
    if (const Status status = held_slow_.grow(1); !status.ok()) return refuse(busy(status.message()));
    timer_.start(house_->limits.slow_time);
    later_ = std::get<Later>(*reply_)(loop_, [this](Response response) { give(std::move(response)); });
  }

  void slow_time_is_up() { refuse(json_message(504, "the agent took too long to answer")); }

  void give(Response response) {
    Budget::Part part = house_->answers->part(visitor_->who);
    if (const Status status = part.grow(response.body.size()); !status.ok())
      return refuse(busy(status.message()));
    send(request_.head, std::move(exchange_), std::move(response), std::move(part));
    end();
  }
  void refuse(Response response) {
    if (interrupt_) interrupt_->cancel();
    send(*exchange_, response);
    exchange_.reset();
    end();
  }
  // The last thing done here: it may destroy this.
  void end() {
    const std::shared_ptr<Visit> last = std::move(self_);
    collecting_ = false;
    timer_.cancel();
    later_.reset();
  }

  const std::shared_ptr<const House> house_;
  Request request_;
  std::string body_;
  bool ended_;
  const bool has_body_;
  bool collecting_ = false;
  std::size_t limit_ = 0;
  std::unique_ptr<ServerExchange> exchange_;
  io::Loop& loop_;
  io::Timer timer_;
  std::shared_ptr<Interrupt> interrupt_;
  std::shared_ptr<const Visitor> visitor_;
  std::optional<Reply> reply_;  // none when the work was dropped
  Budget::Part held_;
  Budget::Part held_slow_;
  std::unique_ptr<io::Operation> later_;
  std::shared_ptr<Visit> self_;  // while nothing else leads here
};

class Handler final : public RequestHandler {
 public:
  Handler(Service& service, const ServiceLimits& limits)
      : house_(std::make_shared<const House>(service, limits)) {}

  void on_request(RequestHead head, bool has_body, std::unique_ptr<ServerExchange> exchange) override {
    std::make_shared<Visit>(house_, std::move(head), has_body, std::move(exchange))->begin();
  }

 private:
  const std::shared_ptr<const House> house_;
};

}  // namespace

std::unique_ptr<RequestHandler> handle_with(Service& service, const ServiceLimits& limits) {
  return std::make_unique<Handler>(service, limits);
}

}  // namespace towline::http
