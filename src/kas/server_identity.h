#pragma once

#include <string>

#include "io/tls.h"
#include "kas/flags.h"

namespace towline::kas {

/// The certificate that the server shows: the one named by flags, else one of its own in <data-dir>/tls
/// (ca.pem, ca.key, server.pem, server.key), made or renewed when it does not cover `host` or ends within 30
/// days.
Result<io::TlsServerOptions> server_identity(const Flags& flags, const std::string& host);

/// PEM of the CA that clients must be told of to trust `external_url`; empty when there is none to tell of.
Result<std::string> announced_ca(const Flags& flags, const std::string& external_url);

}  // namespace towline::kas
