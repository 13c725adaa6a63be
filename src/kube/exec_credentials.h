#pragma once

#include <memory>

#include "kube/config.h"
#include "kube/exec_plugin.h"
#include "kube/tls_source.h"

namespace towline::io {
class WorkerPool;
}

namespace towline::kube {

/// What a plugin gives, asked for with the first request, again 10 s before it expires, and after
/// invalidate(), but no more often than every 5 s: until then the last answer stands, be it an error. All who
/// ask while the plugin runs get that run's answer. A certificate that it gives is in tls() once
/// authorization() has answered. `workers` outlives the credentials; a run is ended with them. `cluster` is
/// null unless the plugin wants to know of it; its CA is taken from `tls`.
std::shared_ptr<Credentials> exec_credentials(ExecPlugin plugin, std::unique_ptr<ExecCluster> cluster,
                                              std::unique_ptr<TlsSource> tls, io::WorkerPool& workers);

}  // namespace towline::kube
