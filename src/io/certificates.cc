#include <algorithm>
#include <cctype>
#include <ctime>
#include <utility>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "io/openssl.h"
#include "io/tls.h"

namespace towline::io {
namespace {

using std::chrono::hours;

// Certificates are valid from a while ago, for machines whose clock is slow.
constexpr hours kClockSkew{1};
constexpr hours kCaLifetime{10 * 365 * 24};
// The longest common name X.509 allows (RFC 5280, appendix A.1).
constexpr std::size_t kMaxCommonName = 64;

long seconds_of(hours h) { return static_cast<long>(std::chrono::seconds(h).count()); }

using NamesPtr = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;

bool is_dns_name(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  });
}

GENERAL_NAME* general_name(const std::string& name) {
  GENERAL_NAME* made = GENERAL_NAME_new();
  if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str())) {
    GENERAL_NAME_set0_value(made, GEN_IPADD, address);
    return made;
  }
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
  GENERAL_NAME_set0_value(made, GEN_DNS, text);
  return made;
}

bool is_address(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  const bool is = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return is;
}

// Builds one certificate. Any step that fails is remembered until sign().
class Builder {
 public:
  Builder(std::string_view common_name, hours lifetime)
      : certificate_(X509_new()), key_(EVP_EC_gen("P-256")) {
    check(key_ != nullptr && X509_set_version(certificate_.get(), X509_VERSION_3) == 1);
    set_serial();
    X509_gmtime_adj(X509_getm_notBefore(certificate_.get()), -seconds_of(kClockSkew));
    X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), seconds_of(lifetime));
    const std::string name(common_name.substr(0, kMaxCommonName));
    check(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate_.get()), "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0) == 1);
    check(X509_set_pubkey(certificate_.get(), key_.get()) == 1);
  }

  X509* certificate() { return certificate_.get(); }

  void add(int nid, const char* value, const X509* issuer) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate_.get(), nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    check(extension != nullptr && X509_add_ext(certificate_.get(), extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }

  void add_names(const std::vector<std::string>& names) {
    const NamesPtr list(sk_GENERAL_NAME_new_null());
    for (const std::string& name : names) sk_GENERAL_NAME_push(list.get(), general_name(name));
    check(X509_add1_ext_i2d(certificate_.get(), NID_subject_alt_name, list.get(), 0, 0) == 1);
  }

  Result<TlsIdentity> sign(const X509* issuer, EVP_PKEY* issuer_key) {
    check(X509_set_issuer_name(certificate_.get(), X509_get_subject_name(issuer)) == 1);
    check(X509_sign(certificate_.get(), issuer_key, EVP_sha256()) > 0);
    const BioPtr chain(BIO_new(BIO_s_mem()));
    const BioPtr key(BIO_new(BIO_s_secmem()));
    check(PEM_write_bio_X509(chain.get(), certificate_.get()) == 1);
    check(PEM_write_bio_PKCS8PrivateKey(key.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    if (!valid_) return fail(Code::kInternal, "make a certificate: " + openssl_reason());
    return TlsIdentity{contents_of(chain.get()), Secret(contents_of(key.get()))};
  }
  Result<TlsIdentity> sign_itself() { return sign(certificate_.get(), key_.get()); }

 private:
  void check(bool ok) { valid_ = valid_ && ok; }

  // 159 random bits: unique without a register, and positive in 20 bytes (RFC 5280, section 4.1.2.2).
  void set_serial() {
    const Handle<BIGNUM, BN_free> serial(BN_new());
    check(BN_rand(serial.get(), 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
          BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate_.get())) != nullptr);
  }

  X509Ptr certificate_;
  PkeyPtr key_;
  bool valid_ = true;
};

bool covers(X509* certificate, const std::string& name) {
  if (is_address(name)) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  return X509_check_host(certificate, name.data(), name.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                         nullptr) == 1;
}

Result<TlsIdentity> issue(const TlsIdentity& ca, std::string_view common_name, const char* usage,
                          const std::vector<std::string>& names, hours lifetime) {
  const X509Ptr issuer = parse_certificate(ca.certificate_chain);
  const PkeyPtr issuer_key = parse_private_key(ca.private_key.reveal());
  if (issuer == nullptr || issuer_key == nullptr ||
      X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
    ERR_clear_error();
    return fail(Code::kInvalidArgument, "the CA is not a PEM certificate with its key");
  }
  Builder builder(common_name, lifetime);
  builder.add(NID_basic_constraints, "critical,CA:FALSE", issuer.get());
  builder.add(NID_key_usage, "critical,digitalSignature", issuer.get());
  builder.add(NID_ext_key_usage, usage, issuer.get());
  builder.add(NID_subject_key_identifier, "hash", issuer.get());
  builder.add(NID_authority_key_identifier, "keyid:always", issuer.get());
  if (!names.empty()) builder.add_names(names);
  return builder.sign(issuer.get(), issuer_key.get());
}

}  // namespace

Result<TlsIdentity> make_ca(std::string_view common_name) {
  Builder builder(common_name, kCaLifetime);
  X509* self = builder.certificate();
  X509_set_issuer_name(self, X509_get_subject_name(self));
  builder.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0", self);
  builder.add(NID_key_usage, "critical,keyCertSign,cRLSign", self);
  builder.add(NID_subject_key_identifier, "hash", self);
  builder.add(NID_authority_key_identifier, "keyid:always", self);
  return builder.sign_itself();
}

Result<TlsIdentity> make_server_certificate(const TlsIdentity& ca, const std::vector<std::string>& names,
                                            hours lifetime) {
  if (names.empty()) return fail(Code::kInvalidArgument, "a server certificate needs a name");
  for (const std::string& name : names) {
    if (!is_address(name) && !is_dns_name(name)) {
      return fail(Code::kInvalidArgument, "neither a DNS name nor an IP address: " + name);
    }
  }
  return issue(ca, names.front(), "serverAuth", names, lifetime);
}

Result<TlsIdentity> make_client_certificate(const TlsIdentity& ca, std::string_view common_name,
                                            hours lifetime) {
  return issue(ca, common_name, "clientAuth", {}, lifetime);
}

bool certificate_covers(std::string_view certificate, const std::vector<std::string>& names, hours margin) {
  const X509Ptr parsed = parse_certificate(certificate);
  if (parsed == nullptr) return false;
  std::time_t now = std::time(nullptr);
  std::time_t later = now + seconds_of(margin);
  // X509_cmp_time: -1 when the time lies before or at the second one, 0 for an error.
  if (X509_cmp_time(X509_get0_notBefore(parsed.get()), &now) != -1) return false;
  if (X509_cmp_time(X509_get0_notAfter(parsed.get()), &later) != 1) return false;
  return std::ranges::all_of(names, [&](const std::string& name) { return covers(parsed.get(), name); });
}

}  // namespace towline::io
