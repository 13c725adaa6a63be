#include "kube/credentials.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "io/loop.h"
#include "kube/files.h"

namespace towline::kube {
namespace {

/// Limit: bytes of a file with a token for the Kubernetes API; it is refused by name.
constexpr std::size_t kMaxToken = 64 * 1024;
// Projected tokens are replaced with at least 20 % of their life left, which is minutes.
constexpr std::chrono::seconds kTokenFreshness{60};

using Answer = std::move_only_function<void(Result<Authorization>)>;

Result<std::shared_ptr<io::TlsClientContext>> tls_of(const std::unique_ptr<TlsSource>& source) {
  if (source == nullptr) return nullptr;
  return source->get();
}

class StaticCredentials final : public Credentials {
 public:
  StaticCredentials(Secret header, std::unique_ptr<TlsSource> tls)
      : header_(std::move(header)), tls_(std::move(tls)) {}

  void authorization(io::Loop&, Answer answer) override { answer(Authorization{header_}); }
  void invalidate() override {}
  Result<std::shared_ptr<io::TlsClientContext>> tls() override { return tls_of(tls_); }

 private:
  const Secret header_;
  const std::unique_ptr<TlsSource> tls_;
};

class TokenFileCredentials final : public Credentials {
 public:
  TokenFileCredentials(std::string path, Secret fallback, std::unique_ptr<TlsSource> tls)
      : path_(std::move(path)), tls_(std::move(tls)), header_(std::move(fallback)) {}

  void authorization(io::Loop& loop, Answer answer) override { answer(current(loop.now())); }

  void invalidate() override {
    const std::lock_guard lock(mutex_);
    refused_ = true;
  }

  Result<std::shared_ptr<io::TlsClientContext>> tls() override { return tls_of(tls_); }

 private:
  Result<Authorization> current(Clock::TimePoint now) {
    const std::lock_guard lock(mutex_);
    const bool fresh = looked_ && now - *looked_ < kTokenFreshness && !refused_;
    if (fresh) return Authorization{header_};
    const Result<Secret> text = read_file(path_, kMaxToken);
    const Result<Secret> token = text ? clean_token(*text) : text;
    if (token) {
      header_ = bearer_header(*token);
    } else if (refused_ || header_.empty()) {
      const std::string place = text ? "token file " + path_ : "token file";
      return fail(token.error().with_prefix(place));
    }
    looked_ = now;
    refused_ = false;
    return Authorization{header_};
  }

  const std::string path_;
  const std::unique_ptr<TlsSource> tls_;
  std::mutex mutex_;
  Secret header_;
  std::optional<Clock::TimePoint> looked_;
  bool refused_ = false;  // the API has said 401 to header_
};

}  // namespace

Result<Secret> clean_token(const Secret& text) {
  Result<std::string> token = one_secret(text.reveal());
  if (!token) return fail(std::move(token.error()));
  return Secret(std::move(*token));
}

Secret bearer_header(const Secret& token) { return Secret("Bearer " + token.reveal()); }

Secret basic_header(const std::string& name, const Secret& password) {
  const Secret pair(name + ":" + password.reveal());
  return Secret("Basic " + base64_encode(pair.reveal()));
}

std::shared_ptr<Credentials> static_credentials(Secret header, std::unique_ptr<TlsSource> tls) {
  return std::make_shared<StaticCredentials>(std::move(header), std::move(tls));
}

std::shared_ptr<Credentials> token_file_credentials(std::string path, Secret fallback,
                                                    std::unique_ptr<TlsSource> tls) {
  return std::make_shared<TokenFileCredentials>(std::move(path), std::move(fallback), std::move(tls));
}

}  // namespace towline::kube
