#include "control/config/yaml_tree.h"

#include <istream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "control/config/yaml_text.h"

namespace towline::control::config {
namespace {

using NodePtr = std::shared_ptr<Node>;
using Entries = decltype(Node::entries);

Place place_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

struct Stop {
  Fault fault;
};
[[noreturn]] void stop(Place place, std::string message) { throw Stop{{place, std::move(message)}}; }

// Builds the tree from the parser's events, and ends the parse by a Stop when a limit is hit: yaml-cpp has no
// other way out.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, const YamlLimits& limits) : text_(text), limits_(limits) {}

  std::shared_ptr<const Node> root() const { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(mark, anchor, Node::Kind::kNull);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!quote_is_closed(text_, static_cast<std::size_t>(mark.pos))) {
      stop(place_of(mark), "the quote that begins here is not closed");
    }
    const bool quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    const bool null = !quoted && (value.empty() || value == "~" || value == "null");
    leaf(mark, anchor, null ? Node::Kind::kNull : Node::Kind::kScalar, value, quoted);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto named = anchors_.find(anchor);
    if (named == anchors_.end() || !named->second.complete) {
      stop(place_of(mark), "an alias must not stand inside of what it names");
    }
    count(mark, named->second.nodes);
    attach(named->second.node);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(mark, anchor, Node::Kind::kSequence);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(mark, anchor, Node::Kind::kMap);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapEnd() override { end(); }

 private:
  struct Anchor {
    NodePtr node;
    std::size_t nodes = 1;
    bool complete = false;
  };
  struct Open {
    NodePtr node;
    YAML::anchor_t anchor;
    std::size_t nodes_before;
    NodePtr key;  // of a map, waiting for its value
    std::set<std::string> keys;
    Entries merged;  // what stands below "<<"
  };

  void count(const YAML::Mark& mark, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > limits_.nodes) {
      stop(place_of(mark), "the file has more than " + std::to_string(limits_.nodes) + " values");
    }
  }
  NodePtr make(const YAML::Mark& mark, Node::Kind kind) {
    count(mark, 1);
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->place = place_of(mark);
    return node;
  }
  void leaf(const YAML::Mark& mark, YAML::anchor_t anchor, Node::Kind kind, const std::string& text = {},
            bool quoted = false) {
    NodePtr node = make(mark, kind);
    node->text = text;
    node->quoted = quoted;
    if (anchor != 0) anchors_[anchor] = {node, 1, true};
    attach(node);
  }
  void attach(const NodePtr& node) {
    if (open_.empty()) {
      root_ = node;
      return;
    }
    Open& open = open_.back();
    if (open.node->kind == Node::Kind::kSequence) {
      open.node->items.push_back(node);
    } else if (open.key == nullptr) {
      if (node->kind != Node::Kind::kScalar) stop(node->place, "a key must be a plain word");
      if (!open.keys.insert(node->text).second) {
        stop(node->place, "key \"" + shown(node->text) + "\" occurs twice");
      }
      open.key = node;
    } else {
      const bool merges = open.key->text == "<<" && !open.key->quoted;
      (merges ? open.merged : open.node->entries).emplace_back(std::move(open.key), node);
      open.key = nullptr;
    }
  }
  // The keys of one map that `open` does not have itself (https://yaml.org/type/merge.html).
  static void merge(Open& open, const Node& from) {
    if (from.kind != Node::Kind::kMap) stop(from.place, "\"<<\" takes a map or a list of maps");
    for (const auto& entry : from.entries) {
      if (open.keys.insert(entry.first->text).second) open.node->entries.push_back(entry);
    }
  }
  static void merge_all(Open& open) {
    for (const auto& [key, value] : std::exchange(open.merged, {})) {
      if (value->kind != Node::Kind::kSequence) {
        merge(open, *value);
        continue;
      }
      for (const auto& each : value->items) merge(open, *each);
    }
  }
  void begin(const YAML::Mark& mark, YAML::anchor_t anchor, Node::Kind kind) {
    if (static_cast<int>(open_.size()) >= limits_.depth) {
      stop(place_of(mark), "it is nested more than " + std::to_string(limits_.depth) + " levels deep");
    }
    const std::size_t before = nodes_;
    NodePtr node = make(mark, kind);
    if (anchor != 0) anchors_[anchor] = {node, 1, false};
    attach(node);
    open_.push_back({node, anchor, before, nullptr, {}, {}});
  }
  void end() {
    Open& open = open_.back();
    merge_all(open);
    if (open.anchor != 0) {
      Anchor& anchor = anchors_[open.anchor];
      anchor.nodes = nodes_ - open.nodes_before;
      anchor.complete = true;
    }
    open_.pop_back();
  }

  const std::string_view text_;
  const YamlLimits& limits_;
  std::size_t nodes_ = 0;
  NodePtr root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchor> anchors_;
};

// Names the place of a second document.
class Refuser final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    stop(place_of(mark), "a second document is not allowed");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}
};

}  // namespace

std::string Fault::describe(std::string_view file) const {
  std::string text(file);
  if (place.line > 0) text += ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
  return text + ": " + message;
}

std::expected<std::shared_ptr<const Node>, Fault> parse_yaml(const std::string& text,
                                                             const YamlLimits& limits) {
  if (text.size() > limits.bytes) {
    return std::unexpected(
        Fault{{}, "the file is larger than " + std::to_string(limits.bytes / 1024) + " KiB"});
  }
  if (auto fault = check_text(text)) return std::unexpected(std::move(*fault));
  const std::string_view kMark = "\xef\xbb\xbf";  // which Windows puts before UTF-8; places do not count it
  const std::string content(text.starts_with(kMark) ? text.substr(kMark.size()) : text);
  if (auto fault = check_directives(content)) return std::unexpected(std::move(*fault));
  try {
    std::istringstream input(content);
    YAML::Parser parser(input);
    Builder builder(content, limits);
    if (!parser.HandleNextDocument(builder)) return nullptr;
    Refuser refuser;
    parser.HandleNextDocument(refuser);
    return builder.root();
  } catch (const Stop& stopped) {
    return std::unexpected(stopped.fault);
  } catch (const YAML::Exception& error) {
    return std::unexpected(Fault{place_of(error.mark), error.msg});
  }
}

}  // namespace towline::control::config
