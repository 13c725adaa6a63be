#include "base/typing.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace towline {
namespace {

// How many letters must be put in, taken out, changed or swapped with their neighbour to make one of the
// other.
std::size_t typing_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, previous, row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(previous, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view text, const std::vector<std::string_view>& known) {
  constexpr std::size_t kMaxLength = 64;  // the comparison takes time by length times length
  std::string_view best;
  std::size_t least = std::max<std::size_t>(1, text.size() / 3) + 1;
  if (text.size() > kMaxLength) return best;
  for (const std::string_view word : known) {
    const std::size_t distance = typing_distance(text, word);
    if (distance >= least) continue;
    least = distance;
    best = word;
  }
  return best;
}

}  // namespace towline
