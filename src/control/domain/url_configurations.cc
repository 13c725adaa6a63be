#include "control/domain/url_configurations.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/encoding.h"
#include "base/url.h"
#include "control/domain/vault.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"
#include "io/openssl.h"

namespace towline::control {
namespace {

constexpr std::size_t kMaxPem = 64 * 1024;
constexpr std::size_t kMaxUrl = 2048;

// A name passes and is judged when it is dialled, since only the addresses that it has then count.
Status check_host(const io::AddressPolicy& outbound, const Url& url) {
  const Status status = outbound.check_host(url.host, url.port);
  return status.ok() ? status : Status(Code::kInvalidArgument, "url: " + status.message());
}

Status check(const NewUrlConfiguration& wanted, const io::AddressPolicy& outbound) {
  const auto refuse = [](const char* message) { return Status(Code::kInvalidArgument, message); };
  const auto url = parse_url(wanted.url);
  if (wanted.url.size() > kMaxUrl || !url || (url->scheme != "grpc" && url->scheme != "grpcs") ||
      url->host.empty()) {
    return refuse("url must be an address that begins with grpc:// or grpcs://");
  }
  if (Status status = check_host(outbound, *url); !status.ok()) return status;
  const bool tls = url->scheme == "grpcs";
  if (!tls && (!wanted.client_cert.empty() || !wanted.ca_cert.empty() || !wanted.tls_host.empty())) {
    return refuse("client_cert, ca_cert and tls_host need a url that begins with grpcs://");
  }
  if (wanted.client_cert.empty() != wanted.client_key.empty()) {
    return refuse("client_cert and client_key must be given together");
  }
  if (wanted.client_cert.size() > kMaxPem || wanted.client_key.reveal().size() > kMaxPem ||
      wanted.ca_cert.size() > kMaxPem || wanted.tls_host.size() > 253) {
    return refuse("client_cert, client_key, ca_cert or tls_host is too long");
  }
  if (!wanted.ca_cert.empty() && !io::parse_certificate(wanted.ca_cert))
    return refuse("ca_cert holds no PEM certificate");
  if (wanted.client_cert.empty()) return {};
  const io::X509Ptr certificate = io::parse_certificate(wanted.client_cert);
  if (!certificate) return refuse("client_cert holds no PEM certificate");
  const io::PkeyPtr key = io::parse_private_key(wanted.client_key.reveal());
  if (!key) return refuse("client_key is not an unencrypted PEM key");
  const bool fits = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return fits ? Status() : refuse("client_key does not fit client_cert");
}

struct KeyPair {
  std::string public_key;  // base64 of the 32 bytes
  Secret private_key;      // PEM
};

Result<KeyPair> make_key_pair() {
  const io::PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  std::string raw(32, '\0');
  std::size_t size = raw.size();
  const io::BioPtr out(BIO_new(BIO_s_mem()));
  if (!key ||
      EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(raw.data()), &size) != 1 ||
      PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return fail(Code::kInternal, "an Ed25519 key pair cannot be made");
  }
  return KeyPair{base64_encode(raw), Secret(io::contents_of(out.get()))};
}

}  // namespace

Result<UrlConfiguration> UrlConfigurations::create(const User& by, const AgentRecord& agent,
                                                   const NewUrlConfiguration& wanted) {
  if (Status status = check(wanted, core_.outbound); !status.ok()) return fail(status);
  UrlConfiguration made{.agent_id = agent.id,
                        .url = wanted.url,
                        .client_cert = wanted.client_cert,
                        .ca_cert = wanted.ca_cert,
                        .tls_host = wanted.tls_host,
                        .created_by_user_id = by.id,
                        .created_at = core_.now()};
  const std::string purpose = "agent " + std::to_string(agent.id);
  if (!wanted.client_cert.empty()) {
    made.client_key = core_.vault.seal(wanted.client_key, purpose);
  } else {
    auto pair = make_key_pair();
    if (!pair) return fail(pair.error());
    made.public_key = pair->public_key;
    made.private_key = core_.vault.seal(pair->private_key, purpose);
  }
  return core_.db.write([&](soci::session& sql) -> Result<UrlConfiguration> {
    if (UrlConfigurationTable(sql).of_agent(agent.id)) {
      return fail(Code::kFailedPrecondition, "the agent already has a URL configuration: delete it first");
    }
    made.id = UrlConfigurationTable(sql).create(made);
    return made;
  });
}

Status UrlConfigurations::remove(const UrlConfiguration& configuration) {
  return core_.db.write([&](soci::session& sql) { UrlConfigurationTable(sql).remove(configuration.id); });
}

}  // namespace towline::control
