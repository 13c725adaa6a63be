#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace towline {

/// Names of functions by their addresses, out of the ELF files that this process has loaded. Costs
/// milliseconds and a mapping of each file: for reports of what went wrong. One thread.
class Symbols {
 public:
  Symbols();
  ~Symbols();
  Symbols(const Symbols&) = delete;
  Symbols& operator=(const Symbols&) = delete;

  /// "towline::io::Loop::run() (kas+0x12ab)"; "kas+0x12ab" where the file has no names; "0x7f12" where no
  /// file is.
  std::string name_of(std::uintptr_t address);

 private:
  struct Module;
  struct Modules;
  std::unique_ptr<Modules> modules_;
};

}  // namespace towline
