#include "cli/curl_error.h"

#include <openssl/x509_vfy.h>

namespace towline::cli {
namespace {

Status certificate_error(CURL* curl, const std::string& problem, const std::string& server) {
  long verified = X509_V_OK;
  curl_easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &verified);
  if (verified == X509_V_ERR_CERT_HAS_EXPIRED || verified == X509_V_ERR_CERT_NOT_YET_VALID) {
    return {
        Code::kFailedPrecondition,
        server + ": the server's certificate is not valid at this time: renew it, or set the clock right"};
  }
  // The chain is checked first, and only after that the name, of which OpenSSL is told nothing.
  if (verified != X509_V_OK && verified != X509_V_ERR_UNSPECIFIED) {
    return {Code::kFailedPrecondition,
            server +
                ": the server's certificate is not trusted: give --ca-file with the CA's certificate to "
                "`towline login`, or set TOWLINE_CA (" +
                problem + ")"};
  }
  return {Code::kFailedPrecondition,
          server + ": the server's certificate is for another name: use one of its names in --url (" +
              problem + ")"};
}

}  // namespace

Status curl_error(CURLcode code, CURL* curl, const std::string& problem, const Login& login) {
  const std::string what = problem.empty() ? curl_easy_strerror(code) : problem;
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      return certificate_error(curl, what, login.url);
    case CURLE_SSL_CACERT_BADFILE:
      return {Code::kFailedPrecondition,
              "the CA file " + login.ca_file + " cannot be read or holds no certificate in PEM"};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Code::kFailedPrecondition, login.url + ": there is no such host: check the address"};
    case CURLE_COULDNT_CONNECT:
      return {Code::kFailedPrecondition,
              login.url + " cannot be reached: check the address, and that the server runs (" + what + ")"};
    case CURLE_SSL_CONNECT_ERROR:
      return {Code::kFailedPrecondition, login.url + ": TLS fails: is this an https port? (" + what + ")"};
    case CURLE_OPERATION_TIMEDOUT:
      return {Code::kDeadlineExceeded, login.url + " does not answer in time (" + what + ")"};
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
      return {Code::kUnavailable, login.url + ": the connection has broken (" + what + ")"};
    default:
      return {Code::kFailedPrecondition, login.url + ": " + what};
  }
}

}  // namespace towline::cli
