#pragma once

#include <memory>
#include <string>

#include "base/secret.h"
#include "base/status.h"
#include "kube/config.h"
#include "kube/tls_source.h"

namespace towline::kube {

/// A token without the white space around it, checked to be fit for a header.
Result<Secret> clean_token(const Secret& text);

/// "Bearer token".
Secret bearer_header(const Secret& token);
/// "Basic base64(name:password)".
Secret basic_header(const std::string& name, const Secret& password);

/// The same header always, maybe none. `tls` may be null: then tls() gives null, for plain HTTP.
std::shared_ptr<Credentials> static_credentials(Secret header, std::unique_ptr<TlsSource> tls);

/// The token in a file that is replaced from time to time, as Kubernetes replaces those of pods each hour.
/// Read again at most once a minute, and at once after invalidate(). While the file cannot be read the last
/// header stands, at first `fallback`, maybe empty; after invalidate() the error is given instead.
std::shared_ptr<Credentials> token_file_credentials(std::string path, Secret fallback,
                                                    std::unique_ptr<TlsSource> tls);

}  // namespace towline::kube
