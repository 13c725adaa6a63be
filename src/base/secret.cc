#include "base/secret.h"

#include <openssl/crypto.h>

namespace towline {

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool Secret::equals(std::string_view other) const { return constant_time_equal(value_, other); }

void Secret::wipe() {
  if (!value_.empty()) OPENSSL_cleanse(value_.data(), value_.size());
  value_.clear();
}

}  // namespace towline
