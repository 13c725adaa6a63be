#pragma once

#include <string>

#include "base/status.h"
#include "base/url.h"
#include "kube/config.h"
#include "kube/kubeconfig.h"

namespace towline::kube {

/// The one cluster and the one user that a configuration comes down to.
struct Selection {
  ClusterEntry cluster;
  UserEntry user;
  std::string namespace_;
  std::string origin;         // for logs
  std::string cluster_where;  // for messages: kubeconfig /a, context "b", cluster "c"
  std::string user_where;
};

/// Picks context, cluster and user by `overrides`, else by the current context. An entry that is named must
/// exist. `sources` says for messages where the kubeconfig came from.
Result<Selection> select_entries(const Kubeconfig& kubeconfig, const Overrides& overrides,
                                 const std::string& sources);

/// Puts flags in the place of what is selected, as kubectl does: a flag that gives a thing in one form also
/// takes away its other forms.
void apply_overrides(Selection& selection, const Overrides& overrides);

/// What contradicts itself, is missing, or is not supported.
Status check_selection(const Selection& selection);

/// The selected cluster's address: without a scheme it is http, and a query is dropped, both as in kubectl.
Result<Url> server_url(const Selection& selection);

}  // namespace towline::kube
