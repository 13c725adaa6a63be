#include "control/config/configuration_reader.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/typing.h"
#include "control/config/yaml_text.h"

namespace towline::control::config {
namespace {

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

const Key* find(const std::vector<Key>& keys, std::string_view name) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

// The known key that was probably meant; null when none is near. Capitals and kinds of dashes do not count.
const Key* nearest(const std::string& text, const std::vector<Key>& keys) {
  std::vector<std::string_view> names;
  for (const Key& key : keys) names.emplace_back(key.name);
  std::string plain = lower_case(text);
  std::replace(plain.begin(), plain.end(), '-', '_');
  return find(keys, nearest_word(plain, names));
}

bool looks_like_other_type(const std::string& text) {
  if (text == "true" || text == "false" || text == "True" || text == "False") return true;
  return text.find_first_not_of("0123456789.+-eE_") == std::string::npos;
}

std::string no_effect(const std::string& path) {
  return "\"" + path + "\" is not supported by this server and has no effect";
}

}  // namespace

std::string join(const std::string& path, const std::string& key) {
  return path.empty() ? shown(key) : path + "." + shown(key);
}

void Report::fault(const Node& at, std::string message) {
  if (faults.size() < kMaxFaults) faults.push_back({at.place, std::move(message)});
}

void Report::warn(const Node& at, std::string message) {
  if (warnings.size() < kMaxFaults) warnings.push_back({at.place, std::move(message)});
}

void Reader::map(const Node& node, const std::string& path, const std::vector<Key>& keys) {
  if (node.kind == Node::Kind::kNull) return;
  if (node.kind != Node::Kind::kMap) return wrong(node, path, "a map");
  for (const auto& [key, value] : node.entries) {
    const Key* const known = find(keys, key->text);
    if (known == nullptr) {
      unknown(*key, path, keys);
    } else if (known->read == nullptr) {
      report_.warn(*key, no_effect(join(path, key->text)));
    } else {
      known->read(*value, join(path, key->text));
    }
  }
}

void Reader::unknown(const Node& key, const std::string& path, const std::vector<Key>& keys) {
  const Key* const near = nearest(key.text, keys);
  std::string message = "unknown key \"" + join(path, key.text) + "\"";
  if (near != nullptr) message += std::string("; did you mean \"") + near->name + "\"?";
  if (near == nullptr || !near->narrows) return report_.warn(key, std::move(message));
  report_.fault(key, message + " What narrows access is not guessed");
}

void Reader::choice(const Node& node, const std::string& path, const std::vector<Key>& keys) {
  if (node.kind != Node::Kind::kMap || node.entries.empty()) {
    std::string names;
    for (const Key& key : keys) {
      if (key.read != nullptr) names += (names.empty() ? "" : " or ") + std::string(key.name);
    }
    return wrong(node, path, "a map with one of " + names);
  }
  if (node.entries.size() > 1) report_.fault(node, path + ": only one kind of access may be given");
  for (const auto& [key, value] : node.entries) {
    const Key* const known = find(keys, key->text);
    if (known != nullptr && known->read != nullptr) {
      known->read(*value, join(path, key->text));
    } else if (known != nullptr) {
      report_.fault(*key, "\"" + join(path, key->text) +
                              "\" is not supported by this server, and no other access is put in its place");
    } else {
      const Key* const near = nearest(key->text, keys);
      report_.fault(*key, "unknown kind of access \"" + join(path, key->text) + "\"" +
                              (near == nullptr ? "" : std::string("; did you mean \"") + near->name + "\"?"));
    }
  }
}

void Reader::list(const Node& node, const std::string& path, std::size_t limit, const Read& read) {
  if (node.kind == Node::Kind::kNull) return;
  if (node.kind != Node::Kind::kSequence) return wrong(node, path, "a list");
  if (node.items.size() > limit) {
    return report_.fault(node, path + ": more than " + std::to_string(limit) + " entries");
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    read(*node.items[i], path + "[" + std::to_string(i) + "]");
  }
}

std::string Reader::text(const Node& node, const std::string& path) {
  if (node.kind != Node::Kind::kScalar) return wrong(node, path, "a text"), std::string();
  if (!node.quoted && looks_like_other_type(node.text)) {
    report_.fault(node, path + ": must be a text; put \"" + shown(node.text) + "\" in quotes");
  }
  // An escape ("\0") makes what the file itself does not hold.
  if (const auto fault = check_text(node.text)) report_.fault(node, path + ": " + fault->message);
  return node.text;
}

bool Reader::boolean(const Node& node, const std::string& path) {
  if (node.kind != Node::Kind::kScalar || node.quoted || (node.text != "true" && node.text != "false")) {
    wrong(node, path, "true or false");
  }
  return node.text == "true";
}

void Reader::wrong(const Node& node, const std::string& path, const std::string& wanted) {
  const std::string name = path.empty() ? "the file" : path;
  report_.fault(node, name + ": must be " + wanted + ", not " + kind_name(node));
}

}  // namespace towline::control::config
