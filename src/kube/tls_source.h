#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "io/tls.h"
#include "kube/files.h"

namespace towline::kube {

/// io::TlsClientContext::create, or a stand-in.
using TlsFactory = std::function<Result<std::shared_ptr<io::TlsClientContext>>(const io::TlsClientOptions&)>;

/// What a cluster's TLS is made from. `*_where` names the field for messages.
struct TlsMaterial {
  Material ca;
  Material certificate;
  Material key;
  std::string ca_where;
  std::string user_where;
  bool insecure_skip_verify = false;
};

/// The TLS settings of a cluster, made anew when a file they come from changes, else shared. Safe from any
/// thread.
class TlsSource {
 public:
  TlsSource(TlsMaterial material, TlsFactory make);

  /// Looks at the files (a stat each, which is little against the handshake that follows). While files are
  /// half replaced, so that certificate and key do not fit or one is missing, the last good settings stand.
  Result<std::shared_ptr<io::TlsClientContext>> get();

  /// Replaces certificate and key, for exec plugins that give them. Unlike files they must fit at once:
  /// otherwise the settings stay as they were.
  Status set_identity(io::TlsIdentity identity);

  /// The CA's certificates in PEM, empty when none are given.
  Result<std::string> ca();

 private:
  struct Parts {
    Material::Bytes ca;
    Material::Bytes certificate;
    Material::Bytes key;
    friend bool operator==(const Parts&, const Parts&) = default;
  };
  Result<Parts> read();
  Result<std::shared_ptr<io::TlsClientContext>> make(const Parts& parts) const;

  const TlsFactory make_;
  std::mutex mutex_;
  TlsMaterial material_;
  Parts parts_;
  std::shared_ptr<io::TlsClientContext> context_;
};

}  // namespace towline::kube
