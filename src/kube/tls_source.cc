#include "kube/tls_source.h"

#include <utility>

namespace towline::kube {

TlsSource::TlsSource(TlsMaterial material, TlsFactory make)
    : make_(std::move(make)), material_(std::move(material)) {}

Result<std::shared_ptr<io::TlsClientContext>> TlsSource::get() {
  const std::lock_guard lock(mutex_);
  const Result<Parts> parts = read();
  if (!parts && context_ != nullptr) return context_;
  if (!parts) return fail(parts.error());
  if (context_ != nullptr && *parts == parts_) return context_;
  auto context = make(*parts);
  if (!context) {
    if (context_ != nullptr) return context_;
    return context;
  }
  parts_ = *parts;
  context_ = std::move(*context);
  return context_;
}

Status TlsSource::set_identity(io::TlsIdentity identity) {
  const std::lock_guard lock(mutex_);
  Result<Parts> parts = read();
  if (!parts) return parts.error();
  Material certificate = Material::inline_bytes(Secret(std::move(identity.certificate_chain)));
  Material key = Material::inline_bytes(std::move(identity.private_key));
  parts->certificate = *certificate.read();
  parts->key = *key.read();
  const auto same = [](const Material::Bytes& a, const Material::Bytes& b) {
    return a != nullptr && b != nullptr && a->equals(b->reveal());
  };
  if (same(parts->certificate, parts_.certificate) && same(parts->key, parts_.key)) return Status();
  auto context = make(*parts);
  if (!context) return context.error();
  material_.certificate = std::move(certificate);
  material_.key = std::move(key);
  parts_ = *parts;
  context_ = std::move(*context);
  return Status();
}

Result<std::string> TlsSource::ca() {
  const std::lock_guard lock(mutex_);
  const Result<Material::Bytes> bytes = material_.ca.read();
  if (!bytes) return fail(bytes.error().with_prefix(material_.ca_where));
  return *bytes == nullptr ? std::string() : (*bytes)->reveal();
}

Result<TlsSource::Parts> TlsSource::read() {
  const auto ca = material_.ca.read();
  if (!ca) return fail(ca.error().with_prefix(material_.ca_where));
  const auto certificate = material_.certificate.read();
  if (!certificate)
    return fail(certificate.error().with_prefix(material_.user_where + ": client-certificate"));
  const auto key = material_.key.read();
  if (!key) return fail(key.error().with_prefix(material_.user_where + ": client-key"));
  return Parts{*ca, *certificate, *key};
}

Result<std::shared_ptr<io::TlsClientContext>> TlsSource::make(const Parts& parts) const {
  io::TlsClientOptions options;
  options.insecure_skip_verify = material_.insecure_skip_verify;
  if (parts.ca != nullptr) options.ca = parts.ca->reveal();
  if (parts.ca != nullptr && options.ca.empty()) {
    // Empty means the system's store to TLS, which is not what an empty file means.
    return fail(Code::kInvalidArgument, material_.ca_where + ": is empty");
  }
  if (parts.certificate != nullptr) options.identity.certificate_chain = parts.certificate->reveal();
  if (parts.certificate != nullptr && parts.key != nullptr) options.identity.private_key = *parts.key;
  auto context = make_(options);
  if (context) return context;
  const bool identity = parts.certificate != nullptr;
  std::string place = material_.ca_where;
  if (identity) place += (place.empty() ? "" : "; ") + material_.user_where;
  return fail(context.error().with_prefix(place));
}

}  // namespace towline::kube
