#include "control/config/configuration_file.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/typing.h"
#include "control/utf8.h"
#include "proto/agentcfg.pb.h"

namespace towline::control::config {
namespace {

namespace cfg = gitlab::agent::agentcfg;
using NodePtr = std::shared_ptr<const Node>;

constexpr std::size_t kMaxFaults = 20;

// Collects what is wrong while the tree is read.
struct Report {
  std::vector<Fault> faults;
  std::vector<Fault> warnings;

  void fault(const Node& at, std::string message) {
    if (faults.size() < kMaxFaults) faults.push_back({at.place, std::move(message)});
  }
  void warn(const Node& at, std::string message) {
    if (warnings.size() < kMaxFaults) warnings.push_back({at.place, std::move(message)});
  }
};

const char* kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return node.quoted ? "a text" : "a plain value";
    case Node::Kind::kSequence:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
  }
  return "";
}

// `path` is the dotted name of the value at hand, for messages.
using Read = std::function<void(const Node& value, const std::string& path)>;
struct Key {
  const char* name;
  Read read;
};

std::string join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// The known key that was probably meant; empty when none is near.
std::string nearest(const std::string& text, const std::vector<Key>& keys) {
  std::vector<std::string_view> names;
  for (const Key& key : keys) names.emplace_back(key.name);
  return std::string(nearest_word(text, names));
}

bool looks_like_other_type(const std::string& text) {
  if (text == "true" || text == "false" || text == "True" || text == "False") return true;
  return text.find_first_not_of("0123456789.+-eE_") == std::string::npos;
}

class Reader {
 public:
  explicit Reader(Report& report) : report_(report) {}

  void map(const Node& node, const std::string& path, const std::vector<Key>& keys) {
    if (node.kind == Node::Kind::kNull) return;
    if (node.kind != Node::Kind::kMap) return wrong(node, path, "a map");
    for (const auto& [key, value] : node.entries) {
      const Key* known = nullptr;
      for (const Key& each : keys) {
        if (key->text == each.name) known = &each;
      }
      if (known == nullptr) {
        const std::string near = nearest(key->text, keys);
        report_.warn(*key, "unknown key \"" + join(path, key->text) + "\"" +
                               (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
      } else if (known->read == nullptr) {
        report_.warn(*key,
                     "\"" + join(path, key->text) + "\" is not supported by this server and has no effect");
      } else {
        known->read(*value, join(path, key->text));
      }
    }
  }
  /// At most `limit` elements.
  void list(const Node& node, const std::string& path, std::size_t limit, const Read& read) {
    if (node.kind == Node::Kind::kNull) return;
    if (node.kind != Node::Kind::kSequence) return wrong(node, path, "a list");
    if (node.items.size() > limit) {
      return report_.fault(node, path + ": more than " + std::to_string(limit) + " entries");
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      read(*node.items[i], path + "[" + std::to_string(i) + "]");
    }
  }
  std::string text(const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::kScalar) return wrong(node, path, "a text"), std::string();
    if (!node.quoted && looks_like_other_type(node.text)) {
      report_.fault(node, path + ": must be a text; put \"" + node.text.substr(0, 100) + "\" in quotes");
    }
    if (!is_utf8(node.text)) return report_.fault(node, path + ": is not UTF-8"), std::string();
    return node.text;
  }
  bool boolean(const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::kScalar || node.quoted || (node.text != "true" && node.text != "false")) {
      wrong(node, path, "true or false");
    }
    return node.text == "true";
  }
  void wrong(const Node& node, const std::string& path, const std::string& wanted) {
    const std::string name = path.empty() ? "the file" : path;
    report_.fault(node, name + ": must be " + wanted + ", not " + kind_name(node));
  }
  Report& report() { return report_; }

 private:
  Report& report_;
};

Read text_into(Reader& reader, std::string* to) {
  return [&reader, to](const Node& node, const std::string& path) { *to = reader.text(node, path); };
}

// A text that must be there and not blank.
void require_id(Reader& reader, const Node& node, const std::string& path, const std::string& id) {
  if (node.kind == Node::Kind::kMap && id.empty())
    reader.report().fault(node, path + ": \"id\" is missing or empty");
}

// A oneof: exactly one of the keys. An empty choice may be written "{}" or left blank.
void choice(Reader& reader, const Node& node, const std::string& path, const std::vector<Key>& keys) {
  if (node.kind == Node::Kind::kMap && node.entries.size() > 1) {
    reader.report().fault(node, path + ": only one kind of access may be given");
  }
  reader.map(node, path, keys);
}

Read empty_choice(Reader& reader, std::function<void()> choose) {
  return [&reader, choose = std::move(choose)](const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::kNull) reader.map(node, path, {});
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
  choice(reader, node, path,
         {{"agent", empty_choice(reader, [&] { to.mutable_agent(); })},
          {"ci_job", empty_choice(reader, [&] { to.mutable_ci_job(); })},
          {"impersonate", [&](const Node& value, const std::string& at) {
             read_impersonate(reader, value, at, *to.mutable_impersonate());
           }}});
}

// Entry is CiAccessProjectCF or CiAccessGroupCF, which have the same fields.
template <typename Entry>
void read_ci_entry(Reader& reader, const Node& node, const std::string& path, Entry& to) {
  if (node.kind != Node::Kind::kMap) return reader.wrong(node, path, "a map with \"id\"");
  const auto access_as = [&](const Node& value, const std::string& at) {
    read_ci_access_as(reader, value, at, *to.mutable_access_as());
  };
  const auto environments = [&](const Node& value, const std::string& at) {
    reader.list(value, at, kMaxEntries,
                [&](const Node& v, const std::string& p) { *to.add_environments() = reader.text(v, p); });
  };
  const auto protected_only = [&](const Node& value, const std::string& at) {
    to.set_protected_branches_only(reader.boolean(value, at));
  };
  reader.map(node, path,
             {{"id", text_into(reader, to.mutable_id())},
              {"default_namespace", text_into(reader, to.mutable_default_namespace())},
              {"access_as", access_as},
              {"environments", environments},
              {"protected_branches_only", protected_only}});
  require_id(reader, node, path, to.id());
}

void read_ci_access(Reader& reader, const Node& node, const std::string& path, cfg::CiAccessCF& to) {
  const auto projects = [&](const Node& value, const std::string& at) {
    reader.list(value, at, kMaxEntries, [&](const Node& v, const std::string& p) {
      read_ci_entry(reader, v, p, *to.add_projects());
    });
  };
  const auto groups = [&](const Node& value, const std::string& at) {
    reader.list(value, at, kMaxEntries,
                [&](const Node& v, const std::string& p) { read_ci_entry(reader, v, p, *to.add_groups()); });
  };
  reader.map(node, path, {{"projects", projects}, {"groups", groups}, {"instance", nullptr}});
}

template <typename Entry>
void read_user_entry(Reader& reader, const Node& node, const std::string& path, Entry& to) {
  if (node.kind != Node::Kind::kMap) return reader.wrong(node, path, "a map with \"id\"");
  reader.map(node, path, {{"id", text_into(reader, to.mutable_id())}});
  require_id(reader, node, path, to.id());
}

void read_user_access(Reader& reader, const Node& node, const std::string& path, cfg::UserAccessCF& to) {
  const auto access_as = [&](const Node& value, const std::string& at) {
    choice(reader, value, at,
           {{"agent", empty_choice(reader, [&] { to.mutable_access_as()->mutable_agent(); })},
            {"user", empty_choice(reader, [&] { to.mutable_access_as()->mutable_user(); })}});
  };
  const auto projects = [&](const Node& value, const std::string& at) {
    reader.list(value, at, kMaxEntries, [&](const Node& v, const std::string& p) {
      read_user_entry(reader, v, p, *to.add_projects());
    });
  };
  const auto groups = [&](const Node& value, const std::string& at) {
    reader.list(value, at, kMaxEntries, [&](const Node& v, const std::string& p) {
      read_user_entry(reader, v, p, *to.add_groups());
    });
  };
  reader.map(node, path, {{"access_as", access_as}, {"projects", projects}, {"groups", groups}});
  // Whose rights people get in the cluster is never guessed.
  if (node.kind == Node::Kind::kMap && to.access_as().as_case() == cfg::UserAccessAsCF::AS_NOT_SET) {
    reader.report().fault(node, path + ": \"access_as\" is missing: say \"agent: {}\" or \"user: {}\"");
  }
}

void read_file(Reader& reader, const Node& node, cfg::ConfigurationFile& to) {
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
                 read_ci_access(reader, v, p, *to.mutable_ci_access());
               })},
              {"user_access", section([&](const Node& v, const std::string& p) {
                 read_user_access(reader, v, p, *to.mutable_user_access());
               })},
              {"flux", section(flux)},
              {"gitops", nullptr},
              {"container_scanning", nullptr},
              {"remote_development", nullptr}});
}

}  // namespace

std::string configuration_path(const std::string& agent_name) {
  return ".gitlab/agents/" + agent_name + "/config.yaml";
}

std::expected<ParsedConfiguration, std::vector<Fault>> parse_configuration(const std::string& text) {
  auto root = parse_yaml(text, {.bytes = kMaxFileBytes});
  if (!root) return std::unexpected(std::vector<Fault>{std::move(root.error())});
  auto file = std::make_shared<cfg::ConfigurationFile>();
  Report report;
  Reader reader(report);
  if (*root != nullptr) read_file(reader, **root, *file);
  if (!report.faults.empty()) return std::unexpected(std::move(report.faults));
  return ParsedConfiguration{std::move(file), std::move(report.warnings)};
}

}  // namespace towline::control::config
