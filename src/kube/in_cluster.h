#pragma once

#include "base/status.h"
#include "kube/environment.h"
#include "kube/selection.h"

namespace towline::kube {

/// Whether the program runs in a pod.
bool is_in_cluster(const Environment& environment);

/// The cluster that the pod runs in, and its service account.
/// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
Result<Selection> in_cluster_selection(const Environment& environment);

}  // namespace towline::kube
