#pragma once

#include <string_view>

namespace towline::control::api {

/// The session's cookie. "__Host-" binds it to this very host and to TLS; the other name serves a server
/// whose external address is http://, on a developer's machine.
inline constexpr std::string_view kSessionCookie = "__Host-towline_session";
inline constexpr std::string_view kPlainSessionCookie = "towline_session";

inline std::string_view session_cookie_name(std::string_view external_url) {
  return external_url.starts_with("http://") ? kPlainSessionCookie : kSessionCookie;
}

}  // namespace towline::control::api
