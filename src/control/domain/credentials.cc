#include "control/domain/credentials.h"

#include <array>

#include <argon2.h>

#include "base/encoding.h"

namespace towline::control {
namespace {

// OWASP's smallest recommendation for Argon2id: 19 MiB, two passes, one lane.
constexpr std::uint32_t kMemoryKib = 19 * 1024;
constexpr std::uint32_t kPasses = 2;
constexpr std::uint32_t kLanes = 1;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;

}  // namespace

Secret make_token(std::string_view prefix) {
  return Secret(std::string(prefix) + base64url_encode(random_bytes(32)));
}

std::string token_hash(const Secret& token) { return sha256_hex(token.reveal()); }

Result<std::string> hash_password(const Secret& password) {
  const std::string salt = random_bytes(kSaltBytes);
  std::array<char, 256> encoded{};
  const int error =
      argon2id_hash_encoded(kPasses, kMemoryKib, kLanes, password.reveal().data(), password.reveal().size(),
                            salt.data(), salt.size(), kHashBytes, encoded.data(), encoded.size());
  if (error != ARGON2_OK) {
    return fail(Code::kInternal, std::string("password hashing: ") + argon2_error_message(error));
  }
  return std::string(encoded.data());
}

bool verify_password(const Secret& password, const std::string& hash) {
  return argon2id_verify(hash.c_str(), password.reveal().data(), password.reveal().size()) == ARGON2_OK;
}

}  // namespace towline::control
