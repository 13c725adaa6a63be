#pragma once

#include <cstddef>
#include <cstdint>

namespace towline::control {

/// What repositories may take of this server.
struct RepositoryLimits {
  /// Limit: branches and tags of a repository (--max-references-per-repository); a new one is refused.
  std::size_t references = 10'000;
  /// Limit: bytes of a push (--max-push-mib); a larger one is refused.
  std::uint64_t push_bytes = std::uint64_t{512} << 20;
  /// Limit: bytes of the repositories of a top-level namespace (--max-namespace-storage-mib); pushes and
  /// commits into it are refused over it.
  std::uint64_t namespace_bytes = std::uint64_t{10} << 30;
};

}  // namespace towline::control
