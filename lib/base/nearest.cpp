#include "lib/base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace mlq {
namespace {

// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view given, const std::vector<std::string>& words) {
  const std::string* best = nullptr;
  const size_t allowed = std::max<size_t>(1, given.size() / 3);
  // A word that is only begun is near however long it is, but among equals the fewest edits win.
  std::pair<size_t, size_t> fewest{allowed + 1, 0};
  for (const std::string& word : words) {
    const bool begun = given.size() > 1 && word.starts_with(given);
    const size_t edits = edit_distance(given, word);
    const std::pair<size_t, size_t> score{begun ? std::min(edits, allowed) : edits, edits};
    if (score < fewest) {
      fewest = score;
      best = &word;
    }
  }
  return best ? *best : "";
}

}  // namespace mlq
