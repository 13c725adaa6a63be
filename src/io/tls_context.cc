#include "io/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <utility>

#include "io/system_ca.h"
#include "io/tls_errors.h"

namespace towline::io {
namespace {

bool has_aes_instructions() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & (1UL << 3)) != 0;  // HWCAP_AES
#else
  return false;
#endif
}

// Only ciphers with forward secrecy and authenticated encryption. AES-128 comes first where the processor
// does it: it is the cheapest per byte and no less safe in practice.
void set_ciphers(SSL_CTX* context) {
  const bool aes = has_aes_instructions();
  SSL_CTX_set_ciphersuites(
      context, aes ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
                   : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
  SSL_CTX_set_cipher_list(context, aes ? "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20"
                                       : "ECDHE+CHACHA20:ECDHE+AES128+AESGCM:ECDHE+AESGCM");
  SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

SslCtxPtr new_context(const SSL_METHOD* method) {
  SslCtxPtr context(SSL_CTX_new(method));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  set_ciphers(context.get());
  // Sessions are not resumed: it would save a client nothing but CPU time, rarely, and cost each connection
  // a ticket. A missing close_notify is left to HTTP, which frames its messages itself (see tls.h).
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A whole record, or several small ones, come with one system call.
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

// Adds every certificate of `pem` to what is trusted, and to the names that clients are told when `names`.
Status trust(SSL_CTX* context, std::string_view pem, bool tell_clients) {
  const BioPtr bio = reading_bio(pem);
  int count = 0;
  while (const X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get());
    if (tell_clients) SSL_CTX_add_client_CA(context, certificate.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return Status(Code::kInvalidArgument, "the CA holds no PEM certificate");
  return Status();
}

Status use_identity(SSL_CTX* context, const TlsIdentity& identity) {
  const BioPtr bio = reading_bio(identity.certificate_chain);
  const X509Ptr leaf(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
  if (leaf == nullptr)
    return Status(Code::kInvalidArgument, "the certificate is not PEM: " + openssl_reason());
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return Status(Code::kInvalidArgument, "the certificate cannot be used: " + openssl_reason());
  }
  while (X509* above = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, above) != 1) X509_free(above);
  }
  ERR_clear_error();
  const PkeyPtr key = parse_private_key(identity.private_key.reveal());
  if (key == nullptr) {
    return Status(Code::kInvalidArgument, "the private key is not an unencrypted PEM key");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return Status(Code::kInvalidArgument,
                  "the private key does not fit the certificate: " + openssl_reason());
  }
  return Status();
}

std::string alpn_on_the_wire(const std::vector<std::string>& names) {
  std::string wire;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255) continue;
    wire.push_back(static_cast<char>(name.size()));
    wire += name;
  }
  return wire;
}

// The first of ours that the client offers too; without one the handshake fails (RFC 7301, section 3.2).
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                unsigned int offered_size, void* settings) {
  const std::string& ours = static_cast<const ServerSettings*>(settings)->alpn;
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<std::shared_ptr<const ServerSettings>> make_settings(const TlsServerOptions& options) {
  auto settings = std::make_shared<ServerSettings>();
  settings->context = new_context(TLS_server_method());
  settings->alpn = alpn_on_the_wire(options.alpn);
  SSL_CTX* context = settings->context.get();
  if (Status status = use_identity(context, options.identity); !status.ok()) return fail(std::move(status));
  if (!settings->alpn.empty()) SSL_CTX_set_alpn_select_cb(context, select_alpn, settings.get());
  if (!options.client_ca.empty()) {
    if (Status status = trust(context, options.client_ca, true); !status.ok()) return fail(std::move(status));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, explain_verification);
  }
  return settings;
}

// Certificates name hosts without the final dot of an absolute name.
std::string without_final_dot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return name;
}

}  // namespace

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::create(const TlsClientOptions& options) {
  SslCtxPtr context = new_context(TLS_client_method());
  if (!options.ca.empty()) {
    if (Status status = trust(context.get(), options.ca, false); !status.ok()) return fail(std::move(status));
  }
  if (options.ca.empty() || options.add_system_ca) trust_system(context.get());
  if (!options.identity.certificate_chain.empty()) {
    if (Status status = use_identity(context.get(), options.identity); !status.ok()) {
      return fail(std::move(status));
    }
  }
  return std::make_shared<ClientContext>(std::move(context), !options.insecure_skip_verify);
}

Result<SslPtr> ClientContext::connection(const std::string& server_name,
                                         const std::vector<std::string>& alpn) const {
  SslPtr ssl(SSL_new(context_.get()));
  const std::string name = without_final_dot(server_name);
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl.get());
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1;
  ERR_clear_error();
  if (!is_address) {
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (name.empty() || X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size()) != 1 ||
        SSL_set_tlsext_host_name(ssl.get(), name.c_str()) != 1) {
      ERR_clear_error();
      return fail(Code::kInvalidArgument, "TLS: \"" + server_name + "\" is not a server name");
    }
  }
  SSL_set_verify(ssl.get(), verify_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                 verify_ ? explain_verification : nullptr);
  const std::string wire = alpn_on_the_wire(alpn);
  if (!wire.empty()) {
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned int>(wire.size()));
  }
  return ssl;
}

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::create(const TlsServerOptions& options) {
  auto settings = make_settings(options);
  if (!settings) return fail(std::move(settings.error()));
  return std::make_shared<ServerContext>(std::move(*settings));
}

Status ServerContext::replace(const TlsServerOptions& options) {
  auto settings = make_settings(options);
  if (!settings) return std::move(settings.error());
  const std::lock_guard lock(mutex_);
  settings_ = std::move(*settings);
  return Status();
}

std::shared_ptr<const ServerSettings> ServerContext::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

}  // namespace towline::io
