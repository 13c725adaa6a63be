#pragma once

#include <string>
#include <string_view>

#include "base/secret.h"
#include "base/status.h"

namespace towline::control {

inline constexpr std::string_view kAccessTokenPrefix = "glpat-";
inline constexpr std::string_view kAgentTokenPrefix = "glagent-";

/// A new token: the prefix and 32 random bytes as base64url.
Secret make_token(std::string_view prefix);

/// What is stored of a token. Tokens are random, so that a plain hash is safe.
std::string token_hash(const Secret& token);

/// Argon2id with its parameters, as the PHC string "$argon2id$...". Slow on purpose: some ten milliseconds
/// and 19 MiB.
Result<std::string> hash_password(const Secret& password);
bool verify_password(const Secret& password, const std::string& hash);

}  // namespace towline::control
