#pragma once

#include <string_view>
#include <vector>

namespace towline {

/// Which of the `known` words was probably meant by one that is none of them; empty when none is near.
std::string_view nearest_word(std::string_view text, const std::vector<std::string_view>& known);

}  // namespace towline
