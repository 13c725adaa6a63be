#include "control/domain/vault.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/encoding.h"
#include "base/files.h"
#include "base/handle.h"

namespace towline::control {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr int kNonceBytes = 12;
constexpr int kTagBytes = 16;

using Cipher = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Result<Secret> read_key(const std::string& file) {
  const Descriptor key(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!key.open()) return fail(errno_status(errno, file));
  std::string text(kKeyBytes + 1, '\0');
  const ssize_t size = ::read(key.get(), text.data(), text.size());
  if (size != static_cast<ssize_t>(kKeyBytes))
    return fail(Code::kFailedPrecondition, file + " holds no key of 32 bytes");
  text.resize(kKeyBytes);
  return Secret(std::move(text));
}

}  // namespace

Result<Vault> Vault::open(const std::string& key_file) {
  const Descriptor made(::open(key_file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!made.open() && errno != EEXIST) return fail(errno_status(errno, key_file));
  if (made.open()) {
    const Status written = write_all(made.get(), random_bytes(kKeyBytes), key_file);
    if (!written.ok()) {
      ::unlink(key_file.c_str());
      return fail(written);
    }
  }
  auto key = read_key(key_file);
  if (!key) return fail(key.error());
  return Vault(std::move(*key));
}

std::string Vault::seal(const Secret& text, std::string_view purpose) const {
  const std::string nonce = random_bytes(kNonceBytes);
  std::string sealed(text.reveal().size(), '\0');
  std::string tag(kTagBytes, '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool done =
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(key_.reveal()), bytes(nonce)) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes(purpose), static_cast<int>(purpose.size())) ==
          1 &&
      EVP_EncryptUpdate(cipher.get(), bytes(sealed), &size, bytes(text.reveal()),
                        static_cast<int>(sealed.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), bytes(sealed) + size, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) == 1;
  if (!done) std::abort();  // OpenSSL without AES-GCM
  return base64_encode(nonce + tag + sealed);
}

Result<Secret> Vault::unseal(const std::string& sealed, std::string_view purpose) const {
  const auto refuse = [] {
    return fail(Code::kFailedPrecondition, "a stored secret cannot be decrypted with this server's key");
  };
  auto raw = base64_decode(sealed);
  if (!raw || raw->size() < kNonceBytes + kTagBytes) return refuse();
  const std::string nonce = raw->substr(0, kNonceBytes);
  std::string tag = raw->substr(kNonceBytes, kTagBytes);
  const std::string body = raw->substr(kNonceBytes + kTagBytes);
  std::string text(body.size(), '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool done =
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(key_.reveal()), bytes(nonce)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes(purpose), static_cast<int>(purpose.size())) ==
          1 &&
      EVP_DecryptUpdate(cipher.get(), bytes(text), &size, bytes(body), static_cast<int>(body.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), bytes(text) + size, &size) == 1;
  if (!done) return refuse();
  return Secret(std::move(text));
}

}  // namespace towline::control
