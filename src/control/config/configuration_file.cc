#include "control/config/configuration_file.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "control/config/configuration_reader.h"
#include "control/config/yaml_text.h"
#include "proto/agentcfg.pb.h"

namespace towline::control::config {
namespace {

namespace cfg = gitlab::agent::agentcfg;

// Values of an entry of an access list that are valid in another place: there they choose, here they are
// lost.
constexpr std::string_view kKindsOfAccess[] = {"agent", "user", "ci_job", "ci_user", "impersonate"};

Read text_into(Reader& reader, std::string* to) {
  return [&reader, to](const Node& node, const std::string& path) { *to = reader.text(node, path); };
}

// A text that must be there and not blank.
void require_id(Reader& reader, const Node& node, const std::string& path, const std::string& id) {
  if (node.kind == Node::Kind::kMap && id.empty())
    reader.report().fault(node, path + ": \"id\" is missing or empty");
}

// A kind of access that takes nothing: "{}" or blank.
Read empty_choice(Reader& reader, std::function<void()> choose) {
  return [&reader, choose = std::move(choose)](const Node& node, const std::string& path) {
    const bool empty =
        node.kind == Node::Kind::kNull || (node.kind == Node::Kind::kMap && node.entries.empty());
    if (!empty) reader.report().fault(node, path + ": takes no values: say \"{}\"");
    choose();
  };
}

void read_level(Reader& reader, const Node& node, const std::string& path,
                const std::function<void(cfg::LoggingLevel)>& set) {
  cfg::LoggingLevel level{};
  if (node.kind == Node::Kind::kScalar && cfg::LoggingLevel_Parse(node.text, &level)) return set(level);
  reader.wrong(node, path, "one of debug, info, warn, error");
}

void read_observability(Reader& reader, const Node& node, const std::string& path, cfg::ObservabilityCF& to) {
  const auto logging = [&](const Node& value, const std::string& at) {
    cfg::LoggingCF& out = *to.mutable_logging();
    reader.map(value, at,
               {{"level",
                 [&](const Node& v, const std::string& p) {
                   read_level(reader, v, p, [&](auto level) { out.set_level(level); });
                 }},
                {"grpc_level", [&](const Node& v, const std::string& p) {
                   read_level(reader, v, p, [&](auto level) { out.set_grpc_level(level); });
                 }}});
  };
  reader.map(node, path, {{"logging", logging}, {"google_profiler", nullptr}});
}

void read_impersonate(Reader& reader, const Node& node, const std::string& path,
                      cfg::CiAccessAsImpersonateCF& to) {
  const auto texts = [&reader](auto* field) -> Read {
    return [&reader, field](const Node& value, const std::string& at) {
      reader.list(value, at, kMaxEntries,
                  [&](const Node& v, const std::string& p) { *field->Add() = reader.text(v, p); });
    };
  };
  const auto extra = [&](const Node& value, const std::string& at) {
    reader.list(value, at, kMaxEntries, [&](const Node& v, const std::string& p) {
      cfg::ExtraKeyValCF& entry = *to.add_extra();
      reader.map(v, p,
                 {{"key", text_into(reader, entry.mutable_key())}, {"val", texts(entry.mutable_val())}});
      if (lower_case(entry.key()) != entry.key()) {
        reader.report().warn(v,
                             p + ".key: Kubernetes makes \"" + shown(lower_case(entry.key())) + "\" of it");
      }
    });
  };
  reader.map(node, path,
             {{"username", text_into(reader, to.mutable_username())},
              {"groups", texts(to.mutable_groups())},
              {"uid", text_into(reader, to.mutable_uid())},
              {"extra", extra}});
  if (to.username().empty()) reader.report().fault(node, path + ": \"username\" is missing or empty");
}

void read_ci_access_as(Reader& reader, const Node& node, const std::string& path, cfg::CiAccessAsCF& to) {
  reader.choice(node, path,
                {{"agent", empty_choice(reader, [&] { to.mutable_agent(); })},
                 {"ci_job", empty_choice(reader, [&] { to.mutable_ci_job(); })},
                 {"impersonate",
                  [&](const Node& value, const std::string& at) {
                    read_impersonate(reader, value, at, *to.mutable_impersonate());
                  }},
                 {"ci_user", nullptr}});
}

// The beginning of an entry of an access list: `id`, and what must not stand beside it.
bool begin_entry(Reader& reader, const Node& node, const std::string& path) {
  if (node.kind != Node::Kind::kMap) return reader.wrong(node, path, "a map with \"id\""), false;
  for (const auto& [key, value] : node.entries) {
    if (std::find(std::begin(kKindsOfAccess), std::end(kKindsOfAccess), key->text) ==
        std::end(kKindsOfAccess))
      continue;
    reader.report().fault(*key, "\"" + join(path, key->text) + "\" belongs below \"access_as\"");
  }
  return true;
}

// Entry is CiAccessProjectCF or CiAccessGroupCF, which have the same fields.
template <typename Entry>
void read_ci_entry(Reader& reader, const Node& node, const std::string& path, Entry& to) {
  if (!begin_entry(reader, node, path)) return;
  const auto access_as = [&](const Node& value, const std::string& at) {
    read_ci_access_as(reader, value, at, *to.mutable_access_as());
  };
  const auto environments = [&](const Node& value, const std::string& at) {
    reader.list(value, at, kMaxEntries,
                [&](const Node& v, const std::string& p) { *to.add_environments() = reader.text(v, p); });
    const bool none =
        value.kind == Node::Kind::kNull || (value.kind == Node::Kind::kSequence && value.items.empty());
    if (none)
      reader.report().fault(value, at + ": lists nothing; without it the entry is for all environments");
  };
  const auto protected_only = [&](const Node& value, const std::string& at) {
    to.set_protected_branches_only(reader.boolean(value, at));
  };
  reader.map(node, path,
             {{"id", text_into(reader, to.mutable_id())},
              {"default_namespace", text_into(reader, to.mutable_default_namespace())},
              {"access_as", access_as, true},
              {"environments", environments, true},
              {"protected_branches_only", protected_only, true},
              {"resource_management", nullptr}});
  require_id(reader, node, path, to.id());
}

template <typename Entry>
void read_user_entry(Reader& reader, const Node& node, const std::string& path, Entry& to) {
  if (!begin_entry(reader, node, path)) return;
  reader.map(node, path, {{"id", text_into(reader, to.mutable_id())}});
  require_id(reader, node, path, to.id());
}

// The projects and groups of one of the sections, as they are listed.
class Lists {
 public:
  Lists(Reader& reader, std::vector<ListedEntry>& listed, ListedEntry::Section section)
      : reader_(reader), listed_(listed), section_(section) {}

  // Entries of one kind, each read by `read` into what `add` gives.
  template <typename Add, typename ReadEntry>
  Read of(ListedEntry::Kind kind, Add add, ReadEntry read) {
    return [=, this](const Node& value, const std::string& at) {
      std::map<std::string, int> lines;  // where a path stands already
      reader_.list(value, at, kMaxEntries, [&](const Node& v, const std::string& p) {
        auto& entry = *add();
        read(reader_, v, p, entry);
        if (entry.id().empty()) return;
        listed_.push_back({section_, kind, entry.id(), id_of(v).place, p + ".id"});
        const auto [seen, fresh] = lines.try_emplace(lower_case(entry.id()), v.place.line);
        if (fresh) return;
        reader_.report().warn(id_of(v), p + ".id: \"" + shown(entry.id()) + "\" is listed already, in line " +
                                            std::to_string(seen->second) + "; the last one counts");
      });
    };
  }
  bool empty() const {
    return std::none_of(listed_.begin(), listed_.end(),
                        [&](const ListedEntry& each) { return each.section == section_; });
  }

 private:
  // Where messages about an entry point to.
  static const Node& id_of(const Node& entry) {
    for (const auto& [key, value] : entry.entries) {
      if (key->text == "id") return *value;
    }
    return entry;
  }

  Reader& reader_;
  std::vector<ListedEntry>& listed_;
  ListedEntry::Section section_;
};

void read_ci_access(Reader& reader, const Node& node, const std::string& path, cfg::CiAccessCF& to,
                    std::vector<ListedEntry>& listed) {
  Lists lists(reader, listed, ListedEntry::Section::kCiAccess);
  reader.map(node, path,
             {{"projects", lists.of(
                               ListedEntry::Kind::kProject, [&to] { return to.add_projects(); },
                               read_ci_entry<cfg::CiAccessProjectCF>)},
              {"groups", lists.of(
                             ListedEntry::Kind::kGroup, [&to] { return to.add_groups(); },
                             read_ci_entry<cfg::CiAccessGroupCF>)},
              {"instance", nullptr}});
}

void read_user_access(Reader& reader, const Node& node, const std::string& path, cfg::UserAccessCF& to,
                      std::vector<ListedEntry>& listed) {
  const auto access_as = [&](const Node& value, const std::string& at) {
    reader.choice(value, at,
                  {{"agent", empty_choice(reader, [&] { to.mutable_access_as()->mutable_agent(); })},
                   {"user", empty_choice(reader, [&] { to.mutable_access_as()->mutable_user(); })}});
  };
  Lists lists(reader, listed, ListedEntry::Section::kUserAccess);
  reader.map(node, path,
             {{"access_as", access_as, true},
              {"projects", lists.of(
                               ListedEntry::Kind::kProject, [&to] { return to.add_projects(); },
                               read_user_entry<cfg::UserAccessProjectCF>)},
              {"groups", lists.of(
                             ListedEntry::Kind::kGroup, [&to] { return to.add_groups(); },
                             read_user_entry<cfg::UserAccessGroupCF>)}});
  if (node.kind != Node::Kind::kMap) return;
  // Whose rights people get in the cluster is never guessed.
  const bool said = std::any_of(node.entries.begin(), node.entries.end(),
                                [](const auto& entry) { return entry.first->text == "access_as"; });
  if (!said) {
    reader.report().fault(node, path + ": \"access_as\" is missing: say \"agent: {}\" or \"user: {}\"");
  } else if (lists.empty()) {
    reader.report().warn(node, path + ": lists no projects and no groups, so that nobody may use the agent");
  }
}

// A section that is read and checked, but that nothing follows yet.
void note_unused(Reader& reader, const Node& node, const std::string& name) {
  for (const auto& [key, value] : node.entries) {
    if (key->text != name || value->kind == Node::Kind::kNull) continue;
    reader.report().warn(*key,
                         "\"" + name + "\" has no effect yet: this version of the server does not follow it");
  }
}

void read_file(Reader& reader, const Node& node, cfg::ConfigurationFile& to,
               std::vector<ListedEntry>& listed) {
  // A section that is there but blank is the same as none.
  const auto section = [](auto read) -> Read {
    return [read](const Node& value, const std::string& at) {
      if (value.kind != Node::Kind::kNull) read(value, at);
    };
  };
  const auto flux = [&](const Node& value, const std::string& at) {
    reader.map(
        value, at,
        {{"webhook_receiver_url", text_into(reader, to.mutable_flux()->mutable_webhook_receiver_url())}});
  };
  reader.map(node, "",
             {{"observability", section([&](const Node& v, const std::string& p) {
                 read_observability(reader, v, p, *to.mutable_observability());
               })},
              {"ci_access", section([&](const Node& v, const std::string& p) {
                 read_ci_access(reader, v, p, *to.mutable_ci_access(), listed);
               })},
              {"user_access", section([&](const Node& v, const std::string& p) {
                 read_user_access(reader, v, p, *to.mutable_user_access(), listed);
               })},
              {"flux", section(flux)},
              {"gitops", nullptr},
              {"starboard", nullptr},
              {"container_scanning", nullptr},
              {"remote_development", nullptr},
              {"resource_management", nullptr}});
  note_unused(reader, node, "ci_access");
  note_unused(reader, node, "flux");
}

}  // namespace

std::string plain_name(std::string_view name) {
  std::string plain = lower_case(name);
  std::replace(plain.begin(), plain.end(), '_', '-');
  std::replace(plain.begin(), plain.end(), '.', '-');
  return plain == "config-yml" ? "config-yaml" : plain;
}

std::string configuration_path(const std::string& agent_name) {
  return ".gitlab/agents/" + agent_name + "/config.yaml";
}

std::expected<ParsedConfiguration, std::vector<Fault>> parse_configuration(const std::string& text) {
  auto root = parse_yaml(text, {.bytes = kMaxFileBytes});
  if (!root) return std::unexpected(std::vector<Fault>{std::move(root.error())});
  auto file = std::make_shared<cfg::ConfigurationFile>();
  Report report;
  Reader reader(report);
  std::vector<ListedEntry> listed;
  if (*root != nullptr) read_file(reader, **root, *file, listed);
  if (!report.faults.empty()) return std::unexpected(std::move(report.faults));
  return ParsedConfiguration{std::move(file), std::move(report.warnings), std::move(listed)};
}

}  // namespace towline::control::config
