#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "io/loop.h"
#include "kube/client.h"

namespace towline::kube {

/// What a FakeClient answers.
struct FakeAnswer {
  int status = 200;
  std::string body;
};

/// Answers requests by a function, a turn of the loop later. Empty: never.
class FakeClient final : public Client {
 public:
  using Serve = std::function<std::optional<FakeAnswer>(const std::string& method, const std::string& target,
                                                        const boost::json::object& body)>;
  FakeClient(io::Loop& loop, Serve serve) : loop_(loop), serve_(std::move(serve)) {}

  std::unique_ptr<http::ClientExchange> start(http::RequestHead head, bool end,
                                              http::ExchangeHandler* handler) override {
    auto exchange = std::make_unique<Exchange>(*this, std::move(head), handler);
    if (end) exchange->end({});
    return exchange;
  }
  std::size_t connections() const override { return 0; }

 private:
  class Exchange final : public http::ClientExchange {
   public:
    Exchange(FakeClient& client, http::RequestHead head, http::ExchangeHandler* handler)
        : client_(client), head_(std::move(head)), handler_(handler) {}
    void set_handler(http::ExchangeHandler* handler) override { handler_ = handler; }
    void write(std::span<const std::byte> data) override {
      body_.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    void end(const http::Headers&) override {
      client_.loop_.post([this, weak = std::weak_ptr<char>(alive_)] {
        if (!weak.expired()) answer();
      });
    }
    std::size_t unsent() const override { return 0; }
    void consume(std::size_t) override {}
    void reset() override { alive_.reset(); }
    io::Loop& loop() override { return client_.loop_; }
    std::string_view peer() const override { return "fake"; }

   private:
    void answer() {
      const boost::json::object body =
          body_.empty() ? boost::json::object() : boost::json::parse(body_).as_object();
      const auto answer = client_.serve_(head_.method, head_.target, body);
      if (!answer) return;
      const std::weak_ptr<char> weak = alive_;
      handler_->on_response({.status = answer->status}, false);
      if (!weak.expired()) handler_->on_body(std::as_bytes(std::span(answer->body)));
      if (!weak.expired()) handler_->on_end({});
    }

    FakeClient& client_;
    http::RequestHead head_;
    http::ExchangeHandler* handler_;
    std::string body_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
  };

  io::Loop& loop_;
  Serve serve_;
};

}  // namespace towline::kube
