#include "io/tls_errors.h"

#include <string>

#include <openssl/err.h>

namespace towline::io {
namespace {

std::string time_text(const ASN1_TIME* time) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(bio.get(), time);
  return contents_of(bio.get());
}

std::string explain_verify(int error, const X509* certificate, bool server) {
  switch (error) {
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return std::string("the ") + (server ? "client" : "server") + "'s CA is not trusted";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate was valid until " + time_text(X509_get0_notAfter(certificate));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the certificate is valid from " + time_text(X509_get0_notBefore(certificate)) +
             "; is the clock right?";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the certificate is for " + subject_names(certificate);
    default:
      return {};
  }
}

// Words for the failures that people meet. An alert is what the peer says of us.
std::string explain_reason(int reason, bool server) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
      return "the peer does not speak TLS on this port";
    case SSL_R_HTTP_REQUEST:
      return "the client speaks plain HTTP";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "both sides need TLS 1.2 or later";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the peer refuses what was offered";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return server ? "the client has shown no certificate" : "the server asks for a client certificate";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the peer does not trust the CA of our certificate";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      return "the peer does not accept our certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "our certificate has expired, says the peer";
    default:
      return {};
  }
}

std::string join(std::string text, const std::string& more) {
  return more.empty() ? text : text + ": " + more;
}

}  // namespace

int explain_verification(int accepted, X509_STORE_CTX* store) {
  const auto* ssl =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* explanation = static_cast<std::string*>(SSL_get_app_data(ssl));
  const X509* certificate = X509_STORE_CTX_get_current_cert(store);
  if (accepted == 0 && explanation != nullptr && certificate != nullptr) {
    *explanation = explain_verify(X509_STORE_CTX_get_error(store), certificate, SSL_is_server(ssl) != 0);
  }
  return accepted;
}

Status tls_failure(const SSL* ssl, int ssl_error, bool established, const std::string& explanation) {
  const unsigned long error = ERR_peek_error();
  if (ssl_error == SSL_ERROR_ZERO_RETURN || error == 0) {
    return Status(Code::kUnavailable, established ? "the connection broke"
                                                  : "the peer closed the connection during the handshake");
  }
  const int reason = ERR_GET_REASON(error);
  const long verified = SSL_get_verify_result(ssl);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
    const std::string text = openssl_reason() + ": " + X509_verify_cert_error_string(verified);
    return Status(Code::kUnavailable, join(text, explanation));
  }
  return Status(Code::kUnavailable, join(openssl_reason(), explain_reason(reason, SSL_is_server(ssl) != 0)));
}

}  // namespace towline::io
