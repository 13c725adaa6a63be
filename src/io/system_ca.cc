#include "io/system_ca.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "io/openssl.h"

namespace towline::io {
namespace {

// Where distributions keep their bundle, for images whose OpenSSL looks elsewhere.
constexpr const char* kBundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

bool is_hashed_name(const std::string& name) {
  return name.size() == 10 && name[8] == '.' && std::all_of(name.begin(), name.begin() + 8, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Whether a directory has the names by which OpenSSL finds a CA in it (openssl-rehash(1)).
bool is_hashed(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (is_hashed_name(at->path().filename().string())) return true;
  }
  return false;
}

bool read_bundle(X509_STORE* store, const char* file) {
  const BioPtr bio(BIO_new_file(file, "r"));
  if (bio == nullptr) return false;
  int count = 0;
  while (const X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(store, certificate.get());
    ++count;
  }
  return count > 0;
}

void read_bundles(X509_STORE* store) {
  const char* told = std::getenv(X509_get_default_cert_file_env());
  if (!read_bundle(store, told != nullptr ? told : X509_get_default_cert_file()) && told == nullptr) {
    std::any_of(std::begin(kBundles), std::end(kBundles),
                [store](const char* file) { return read_bundle(store, file); });
  }
  ERR_clear_error();
}

// What X509_LOOKUP calls when the store itself has no such CA. Contexts are shared by threads.
int find_in_bundle(X509_LOOKUP* lookup, X509_LOOKUP_TYPE type, const X509_NAME* name, X509_OBJECT* found) {
  if (type != X509_LU_X509) return 0;
  X509_STORE* const store = X509_LOOKUP_get_store(lookup);
  {
    static std::mutex reading;
    const std::lock_guard lock(reading);
    if (X509_LOOKUP_get_method_data(lookup) == nullptr) {
      read_bundles(store);
      X509_LOOKUP_set_method_data(lookup, store);  // anything but null: it has been read
    }
  }
  X509_STORE_lock(store);
  X509_OBJECT* const object = X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store), type, name);
  X509* const certificate = object == nullptr ? nullptr : X509_OBJECT_get0_X509(object);
  if (certificate != nullptr) {
    X509_OBJECT_set1_X509(found, certificate);
    // The caller takes a reference of its own from what is the store's.
    X509_free(certificate);
  }
  X509_STORE_unlock(store);
  return certificate != nullptr ? 1 : 0;
}

X509_LOOKUP_METHOD* bundle_method() {
  static X509_LOOKUP_METHOD* const method = [] {
    X509_LOOKUP_METHOD* made = X509_LOOKUP_meth_new("CA bundle, read on demand");
    X509_LOOKUP_meth_set_get_by_subject(made, find_in_bundle);
    return made;
  }();
  return method;
}

}  // namespace

void trust_system(SSL_CTX* context) {
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  const char* file = std::getenv(X509_get_default_cert_file_env());
  const char* directory = std::getenv(X509_get_default_cert_dir_env());
  if (directory == nullptr) directory = X509_get_default_cert_dir();
  // A hashed directory holds what the bundle does, one file for each CA.
  const bool hashed = is_hashed(directory);
  if (hashed) X509_STORE_load_path(store, directory);
  if (!hashed || file != nullptr) X509_STORE_add_lookup(store, bundle_method());
  ERR_clear_error();
}

}  // namespace towline::io
