#include "cli/yaml_text.h"

namespace towline::cli {
namespace {

constexpr int kMaxDepth = 100;
constexpr const char* kQuotedTag = "!";  // yaml-cpp's mark of a scalar that is not plain

class Writer {
 public:
  bool write(const YAML::Node& node, int depth) {
    if (depth > kMaxDepth) return false;
    switch (node.Type()) {
      case YAML::NodeType::Map:
        return write_map(node, depth);
      case YAML::NodeType::Sequence:
        return write_sequence(node, depth);
      case YAML::NodeType::Scalar:
        write_scalar(node);
        return true;
      default:
        out_ << YAML::Null;
        return true;
    }
  }
  std::string text() const { return std::string(out_.c_str(), out_.size()) + "\n"; }

 private:
  bool write_map(const YAML::Node& node, int depth) {
    out_ << YAML::BeginMap;
    for (const auto& pair : node) {
      out_ << YAML::Key;
      if (!write(pair.first, depth + 1)) return false;
      out_ << YAML::Value;
      if (!write(pair.second, depth + 1)) return false;
    }
    out_ << YAML::EndMap;
    return true;
  }
  bool write_sequence(const YAML::Node& node, int depth) {
    out_ << YAML::BeginSeq;
    for (const auto& item : node) {
      if (!write(item, depth + 1)) return false;
    }
    out_ << YAML::EndSeq;
    return true;
  }
  void write_scalar(const YAML::Node& node) {
    const std::string& tag = node.Tag();
    if (tag == kQuotedTag) {
      out_ << YAML::DoubleQuoted;
    } else if (!tag.empty() && tag != "?") {
      out_ << YAML::VerbatimTag(tag);
    }
    out_ << node.Scalar();
  }
  YAML::Emitter out_;
};

}  // namespace

Result<std::string> yaml_text(const YAML::Node& root) {
  Writer writer;
  if (!writer.write(root, 0)) return fail(Code::kFailedPrecondition, "the document is nested too deep");
  return writer.text();
}

YAML::Node quoted(const std::string& text) {
  YAML::Node node(text);
  node.SetTag(kQuotedTag);
  return node;
}

}  // namespace towline::cli
