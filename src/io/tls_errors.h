#pragma once

#include <string>

#include "base/status.h"
#include "io/openssl.h"

namespace towline::io {

/// The callback for SSL_set_verify. Leaves the verdict as it is, and puts what a failure means in plain words
/// into the std::string that SSL_get_app_data points at: only now the certificate is at hand.
int explain_verification(int accepted, X509_STORE_CTX* store);

/// What went wrong with `ssl`, from OpenSSL's error queue, and what that means:
/// "certificate verify failed: certificate has expired: the certificate was valid until ...". `ssl_error` is
/// from SSL_get_error, `explanation` from explain_verification.
Status tls_failure(const SSL* ssl, int ssl_error, bool established, const std::string& explanation);

}  // namespace towline::io
