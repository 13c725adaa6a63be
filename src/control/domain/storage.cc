#include "control/domain/storage.h"

#include "control/git/repository_store.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"

namespace towline::control {

Status take_storage(Core& core, const Project& project, std::uint64_t bytes) {
  git::StorageMeter& meter = core.repositories.meter;
  if (Status status = meter.check_room(); !status.ok()) return status;
  const std::string top = project.full_path.substr(0, project.full_path.find('/'));
  auto owner = core.db.read([&](soci::session& sql) {
    const auto space = NamespaceTable(sql).by_path(top);
    return space ? space->id : 0;
  });
  if (!owner) return owner.error();
  const auto projects = [&] {
    return core.db.read([&](soci::session& sql) {
      std::vector<std::int64_t> ids;
      for (const Project& each : ProjectTable(sql).below(*owner)) ids.push_back(each.id);
      return ids;
    });
  };
  const std::uint64_t limit = core.repositories.limits.namespace_bytes;
  auto taken = meter.total(*owner, projects);
  if (taken && *taken + bytes > limit) {
    meter.remeasure(*owner, project.id);  // Git may have tidied up
    taken = meter.total(*owner, projects);
  }
  if (!taken) return taken.error();
  if (*taken + bytes > limit) {
    return {Code::kResourceExhausted, "\"" + top + "\" has " + std::to_string(*taken >> 20) + " MiB of the " +
                                          std::to_string(limit >> 20) +
                                          " MiB that its repositories may take together "
                                          "(--max-namespace-storage-mib)."};
  }
  meter.grew(*owner, project.id, bytes);
  return {};
}

}  // namespace towline::control
