// Several loops at once: what is shared between them is safe, and what lives on one of them stays there. Says
// most under ThreadSanitizer.
#include <atomic>
#include <future>

#include <gtest/gtest.h>

#include "io/testing_tls.h"

namespace towline::io {
namespace {

using std::chrono::seconds;

constexpr seconds kLimit{60};
constexpr std::string_view kGreeting = "hello from the other loop";

// Accepts TLS connections on one loop and greets each. Made and destroyed there.
class Greeter {
 public:
  Greeter(Loop& loop, std::shared_ptr<TlsServerContext> context) : loop_(loop), context_(std::move(context)) {
    listener_ =
        listen(loop_, "127.0.0.1", 0, false, [this](auto stream) { accepted(std::move(stream)); }).value();
  }
  std::uint16_t port() const { return listener_->port(); }

 private:
  void accepted(std::unique_ptr<Stream> stream) {
    handshakes_.push_back(tls_accept(loop_, std::move(stream), context_, kLimit, [this](auto result) {
      if (!result) return;
      testing::write_text(**result, kGreeting);
      (*result)->shutdown_write();
      greeted_.push_back(std::move(*result));
    }));
  }

  Loop& loop_;
  std::shared_ptr<TlsServerContext> context_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Operation>> handshakes_;
  std::vector<std::unique_ptr<Stream>> greeted_;
};

// Dials the greeter, one connection after another, and counts the greetings.
class Caller {
 public:
  Caller(Loop& loop, Dialer& dialer, DialTarget target, int calls, std::promise<int>& done)
      : loop_(loop), dialer_(dialer), target_(std::move(target)), left_(calls), done_(done) {
    call();
  }

 private:
  class Listening final : public testing::Reader {
   public:
    Listening(Stream& stream, Caller& caller) : Reader(stream), caller_(caller) {}
    void on_readable() override {
      read();
      if (ended || failed) caller_.heard(text);
    }

   private:
    Caller& caller_;
  };

  void call() {
    operation_ = dialer_.dial(loop_, target_, kLimit, [this](auto result) {
      if (!result) return heard("");
      stream_ = std::move(*result);
      reader_ = std::make_unique<Listening>(*stream_, *this);
      if (reader_->ended || reader_->failed) heard(reader_->text);
    });
  }
  // Goes on from a fresh task: the stream and its handler are still in use.
  void heard(const std::string& text) {
    greetings_ += text == kGreeting ? 1 : 0;
    loop_.post([this] {
      reader_.reset();
      stream_.reset();
      operation_.reset();
      if (--left_ == 0) return done_.set_value(greetings_);
      call();
    });
  }

  Loop& loop_;
  Dialer& dialer_;
  DialTarget target_;
  int left_;
  int greetings_ = 0;
  std::promise<int>& done_;
  std::unique_ptr<Operation> operation_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Listening> reader_;
};

template <typename Make>
auto make_on(Loop& loop, Make make) {
  std::promise<decltype(make())> made;
  loop.post([&] { made.set_value(make()); });
  return made.get_future().get();
}

TEST(Threads, LoopsShareContextsResolverAndDialer) {
  constexpr int kCalls = 50;
  const testing::TlsSetup setup;
  const auto server = setup.server();
  const auto resolver = system_resolver();
  const auto dialer = direct_dialer(*resolver);
  SystemClock clock;
  std::promise<int> heard[2];
  std::unique_ptr<Greeter> greeters[2];
  std::unique_ptr<Caller> callers[2];
  LoopGroup loops(2, clock);
  for (std::size_t i = 0; i < 2; ++i) {
    greeters[i] = make_on(loops.at(i), [&] { return std::make_unique<Greeter>(loops.at(i), server); });
  }
  for (std::size_t i = 0; i < 2; ++i) {
    // Each loop calls the other by name, so that the resolver's threads take part too.
    const DialTarget target{.host = "localhost",
                            .port = greeters[1 - i]->port(),
                            .tls = setup.client(),
                            .tls_server_name = "kas.example.com"};
    callers[i] = make_on(loops.at(i), [&] {
      return std::make_unique<Caller>(loops.at(i), *dialer, target, kCalls, heard[i]);
    });
  }
  std::future<int> results[2] = {heard[0].get_future(), heard[1].get_future()};
  for (auto& result : results) {
    while (result.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      EXPECT_TRUE(server->replace(setup.server_options).ok());
    }
    EXPECT_EQ(result.get(), kCalls);
  }
  loops.join();
  for (auto& caller : callers) caller.reset();
  for (auto& greeter : greeters) greeter.reset();
}

}  // namespace
}  // namespace towline::io
