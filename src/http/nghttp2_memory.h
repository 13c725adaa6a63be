#pragma once

#include <nghttp2/nghttp2.h>

namespace towline::http {

/// Memory for nghttp2's sessions; safe from any thread. Each session takes a buffer of 16 KiB for frames when
/// it is made and, as bodies are sent from our memory, rarely writes more than its first hundreds of bytes.
/// Such buffers begin on pages of their own, so that an idle connection holds one page of it. All else is
/// malloc's. Null, which means malloc for all, where a sanitizer has to see each block.
nghttp2_mem* nghttp2_memory();

}  // namespace towline::http
