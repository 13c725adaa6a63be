#pragma once

#include <span>
#include <string_view>

namespace towline::web {

/// A file of the web page. Views of what lives as long as the program.
struct Asset {
  std::string_view path;  // "/assets/index-C0ffee.js"
  std::string_view content_type;
  std::string_view etag;  // of the plain form, without quotes
  /// Its name changes with its content.
  bool immutable = false;
  std::string_view content;
  /// The same compressed; empty where that would not be smaller.
  std::string_view gzip;
};

/// The files that were built into the program (library towline_web_pages), among them /index.html.
std::span<const Asset> assets();

}  // namespace towline::web
