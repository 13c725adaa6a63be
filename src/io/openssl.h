#pragma once

#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/handle.h"

/// OpenSSL's handles with owners. Beyond this folder for sources only: it brings OpenSSL's headers along.
namespace towline::io {

using SslPtr = Handle<SSL, SSL_free>;
using SslCtxPtr = Handle<SSL_CTX, SSL_CTX_free>;
using BioPtr = Handle<BIO, BIO_free_all>;
using X509Ptr = Handle<X509, X509_free>;
using PkeyPtr = Handle<EVP_PKEY, EVP_PKEY_free>;

/// The reason of the oldest entry in OpenSSL's error queue, "no start line"; clears the queue. Reasons are
/// fixed texts: they hold nothing of keys or traffic.
std::string openssl_reason();

/// A memory BIO that reads `text`, which must outlive it.
BioPtr reading_bio(std::string_view text);
/// All that was written to a memory BIO.
std::string contents_of(BIO* bio);

/// The first certificate of a PEM text; null when there is none.
X509Ptr parse_certificate(std::string_view pem);
/// An unencrypted private key; null when there is none. Never asks for a passphrase.
PkeyPtr parse_private_key(std::string_view pem);

/// "CN=agent-7,O=Example" (RFC 2253).
std::string name_of(const X509_NAME* name);
/// The DNS names and IP addresses that a certificate is for, "a.example.com, 192.0.2.1".
std::string subject_names(const X509* certificate);

}  // namespace towline::io
