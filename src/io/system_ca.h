#pragma once

#include <openssl/ssl.h>

namespace towline::io {

/// Makes `context` trust the system's CAs: SSL_CERT_FILE and SSL_CERT_DIR, else OpenSSL's own places, else a
/// distribution's bundle. Nothing is read before a certificate comes whose issuer is not among those already
/// trusted: a parsed bundle is a MiB, and an agent whose server has a CA of its own needs none of it.
void trust_system(SSL_CTX* context);

}  // namespace towline::io
