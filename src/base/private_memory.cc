#include "base/private_memory.h"

#include <sys/prctl.h>

namespace towline {

void keep_memory_private() { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

}  // namespace towline
