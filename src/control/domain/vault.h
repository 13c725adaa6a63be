#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "base/status.h"

namespace towline::control {

/// Encrypts what the database keeps of others' secrets (private keys), with AES-256-GCM and a key that lies
/// beside the database, not in it. Safe from any thread.
class Vault {
 public:
  /// Reads the key, or makes it with mode 0600. INTERNAL, or FAILED_PRECONDITION for a file that is no key.
  static Result<Vault> open(const std::string& key_file);

  /// Base64. `purpose` is bound to the text: what was sealed for one row does not open for another.
  std::string seal(const Secret& text, std::string_view purpose) const;
  /// FAILED_PRECONDITION for what was not sealed with this key and purpose.
  Result<Secret> unseal(const std::string& sealed, std::string_view purpose) const;

 private:
  explicit Vault(Secret key) : key_(std::move(key)) {}
  Secret key_;
};

}  // namespace towline::control
