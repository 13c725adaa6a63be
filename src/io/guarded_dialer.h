#pragma once

#include <memory>

#include "io/address_policy.h"
#include "io/dial.h"
#include "io/http_proxy.h"

namespace towline::io {

/// Dials what users have named, and nothing that the policy refuses, even where the name's answer changes
/// between the check and the connection (DNS rebinding): a name is resolved once, each of its addresses is
/// checked, and the very addresses that passed are dialled, one after the other. TLS goes on to verify the
/// name. Addresses that are refused are left out, for they do no harm when they are not dialled;
/// PERMISSION_DENIED when no other is left.
///
/// Where `proxies` name an HTTP proxy for the target, the proxy is told the checked address, too. One
/// exception: a name that this machine cannot resolve is given to the proxy as it stands, because behind a
/// proxy there may be no name server that knows it; then nobody checks. It never holds for what is written as
/// an address, for the names of this machine, nor for names whose addresses are refused.
///
/// `direct` dials addresses and proxies; it is not asked to resolve a user's name. `resolver` and `direct`
/// outlive the dialer and its operations.
std::unique_ptr<Dialer> guarded_dialer(Resolver& resolver, Dialer& direct, AddressPolicy policy,
                                       ProxySettings proxies = {},
                                       std::shared_ptr<TlsClientContext> proxy_tls = nullptr);

}  // namespace towline::io
