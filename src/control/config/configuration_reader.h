#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/yaml_tree.h"

namespace towline::control::config {

/// Collects what is wrong while a tree is read.
struct Report {
  /// Limit: faults, and warnings, of one reading of an agent's configuration file; more are left out.
  static constexpr std::size_t kMaxFaults = 20;

  std::vector<Fault> faults;
  std::vector<Fault> warnings;

  void fault(const Node& at, std::string message);
  void warn(const Node& at, std::string message);
};

/// `path` is the dotted name of the value at hand, for messages.
using Read = std::function<void(const Node& value, const std::string& path)>;

/// A key that a map may have. Without `read` it is one of the original that has no effect here.
struct Key {
  const char* name;
  Read read;
  /// Whether a map without it gives more than one with it: then what may be its misspelling is a fault.
  bool narrows = false;
};

/// The dotted name of a key; a key of the file is not trusted to be short.
std::string join(const std::string& path, const std::string& key);

/// Reads the values of a tree, strictly: what has the wrong type is noted as a fault, never guessed at.
class Reader {
 public:
  explicit Reader(Report& report) : report_(report) {}

  /// Unknown keys are warned of, with the known one that was probably meant.
  void map(const Node& node, const std::string& path, const std::vector<Key>& keys);
  /// A map in which exactly one of the keys stands; any other is a fault.
  void choice(const Node& node, const std::string& path, const std::vector<Key>& keys);
  /// At most `limit` elements.
  void list(const Node& node, const std::string& path, std::size_t limit, const Read& read);
  std::string text(const Node& node, const std::string& path);
  bool boolean(const Node& node, const std::string& path);
  void wrong(const Node& node, const std::string& path, const std::string& wanted);
  Report& report() { return report_; }

 private:
  void unknown(const Node& key, const std::string& path, const std::vector<Key>& keys);

  Report& report_;
};

}  // namespace towline::control::config
