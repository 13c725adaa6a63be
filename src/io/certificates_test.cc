#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/openssl.h"
#include "io/tls.h"

namespace towline::io {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;

class CertificatesTest : public ::testing::Test {
 protected:
  std::string make(const std::vector<std::string>& names, hours lifetime = hours(48)) {
    return make_server_certificate(ca, names, lifetime).value().certificate_chain;
  }
  TlsIdentity ca = make_ca("Towline CA").value();
};

TEST_F(CertificatesTest, TheCaSignsLeavesOnly) {
  const X509Ptr x = parse_certificate(ca.certificate_chain);
  EXPECT_EQ(name_of(X509_get_subject_name(x.get())), "CN=Towline CA");
  EXPECT_EQ(X509_check_ca(x.get()), 1);
  EXPECT_EQ(X509_get_pathlen(x.get()), 0);
  EXPECT_EQ(X509_get_key_usage(x.get()), static_cast<unsigned>(KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  EXPECT_NE(X509_get0_subject_key_id(x.get()), nullptr);
  EXPECT_NE(X509_get0_authority_key_id(x.get()), nullptr);
}

TEST_F(CertificatesTest, AServerCertificateIsForServersAndItsNames) {
  const X509Ptr x = parse_certificate(make({"kas.example.com", "192.0.2.1", "2001:db8::1"}));
  const X509Ptr issuer = parse_certificate(ca.certificate_chain);
  EXPECT_EQ(X509_check_issued(issuer.get(), x.get()), X509_V_OK);
  EXPECT_EQ(X509_verify(x.get(), X509_get0_pubkey(issuer.get())), 1);
  EXPECT_EQ(X509_get_extended_key_usage(x.get()), static_cast<unsigned>(XKU_SSL_SERVER));
  EXPECT_EQ(X509_check_ca(x.get()), 0);
  EXPECT_EQ(subject_names(x.get()), "kas.example.com, 192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1");
}

TEST_F(CertificatesTest, SerialNumbersDiffer) {
  const X509Ptr a = parse_certificate(make({"a"}));
  const X509Ptr b = parse_certificate(make({"a"}));
  EXPECT_NE(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.get()), X509_get0_serialNumber(b.get())), 0);
}

TEST_F(CertificatesTest, CoversItsNamesOnly) {
  const std::string pem = make({"kas.example.com", "*.apps.example.com", "192.0.2.1", "::1"});
  EXPECT_TRUE(certificate_covers(pem, {"kas.example.com", "KAS.example.com", "192.0.2.1", "::1"}, hours(1)));
  EXPECT_TRUE(certificate_covers(pem, {"a.apps.example.com", "*.apps.example.com"}, hours(1)));
  EXPECT_FALSE(certificate_covers(pem, {"kas.example.com", "other.example.com"}, hours(1)));
  EXPECT_FALSE(certificate_covers(pem, {"192.0.2.2"}, hours(1)));
  EXPECT_FALSE(certificate_covers("not PEM", {"a"}, hours(1)));
}

TEST_F(CertificatesTest, CoversOnlyWhileItLasts) {
  EXPECT_TRUE(certificate_covers(make({"a"}, hours(48)), {"a"}, hours(47)));
  EXPECT_FALSE(certificate_covers(make({"a"}, hours(48)), {"a"}, hours(49)));
  EXPECT_FALSE(certificate_covers(make({"a"}, hours(-1)), {"a"}, hours(0)));
}

TEST_F(CertificatesTest, RefusesWhatIsNoName) {
  for (const char* name : {"", "a b", "a,DNS:b", "a*", "http://a"}) {
    const auto made = make_server_certificate(ca, {name}, hours(1));
    ASSERT_FALSE(made.has_value()) << name;
    EXPECT_EQ(made.error().code(), Code::kInvalidArgument);
  }
  EXPECT_FALSE(make_server_certificate(ca, {}, hours(1)).has_value());
}

TEST_F(CertificatesTest, RefusesABrokenCa) {
  TlsIdentity other = make_ca("other").value();
  other.certificate_chain = ca.certificate_chain;
  EXPECT_FALSE(make_server_certificate(other, {"a"}, hours(1)).has_value());
  EXPECT_FALSE(make_server_certificate({}, {"a"}, hours(1)).has_value());
}

TEST_F(CertificatesTest, LongNamesAreCutInTheSubjectOnly) {
  const std::string name = std::string(60, 'a') + "." + std::string(60, 'b');
  EXPECT_TRUE(certificate_covers(make({name}), {name}, hours(1)));
}

TEST_F(CertificatesTest, ContextsRefuseBrokenSettings) {
  const TlsIdentity server = make_server_certificate(ca, {"a"}, hours(1)).value();
  TlsServerOptions options;
  EXPECT_THAT(TlsServerContext::create(options).error().message(), HasSubstr("the certificate is not PEM"));
  options.identity = {server.certificate_chain, Secret("hunter2")};
  EXPECT_EQ(TlsServerContext::create(options).error().message(),
            "the private key is not an unencrypted PEM key");
  options.identity = {server.certificate_chain, ca.private_key};
  EXPECT_THAT(TlsServerContext::create(options).error().message(),
              HasSubstr("the private key does not fit the certificate"));
  options.identity = server;
  options.client_ca = "rubbish";
  EXPECT_EQ(TlsServerContext::create(options).error().message(), "the CA holds no PEM certificate");
  EXPECT_FALSE(TlsClientContext::create({.ca = "rubbish"}).has_value());
  EXPECT_TRUE(TlsClientContext::create({}).has_value());
}

}  // namespace
}  // namespace towline::io
