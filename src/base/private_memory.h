#pragma once

namespace towline {

/// Keeps this process's memory, which holds tokens and keys, out of core dumps, and from other processes of
/// the same user, which could read it by ptrace(2) or /proc. The superuser can still.
void keep_memory_private();

}  // namespace towline
