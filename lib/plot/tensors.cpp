#include "lib/plot/tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace mlq::plot {
namespace {

constexpr uint64_t kMostLayers = 4'096;
constexpr size_t kMostFamilies = 4'096;

bool is_number(std::string_view part) {
  return !part.empty() && part.size() <= 9 && part.find_first_not_of("0123456789") == std::string_view::npos;
}

// Calls `take` with each part between dots.
template <class Take>
void for_parts(std::string_view name, Take take) {
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    take(name.substr(begin, end - begin));
    begin = end + 1;
  }
}

}  // namespace

std::optional<uint64_t> layer_of(std::string_view name) {
  std::optional<uint64_t> layer;
  for_parts(name, [&](std::string_view part) {
    if (layer || !is_number(part)) return;
    layer = 0;
    for (const char digit : part) layer = 10 * *layer + static_cast<uint64_t>(digit - '0');
  });
  return layer;
}

std::string family_of(std::string_view name) {
  std::string out;
  for_parts(name, [&](std::string_view part) {
    if (part.data() != name.data()) out += '.';
    out += is_number(part) ? "*" : part;
  });
  return out;
}

void LayerMeans::add(std::string_view tensor, double value, double weight) {
  const std::optional<uint64_t> layer = layer_of(tensor);
  if (!layer || *layer >= kMostLayers) return;
  Sum& sum = layers_[*layer];
  sum.value += value * weight;
  sum.weight += weight;
}

void LayerMeans::draw(const std::string& label, Picture& into) const {
  Curve curve{label, Shape::steps, {}};
  for (const auto& [layer, sum] : layers_) {
    if (sum.weight > 0) curve.points.push_back({static_cast<double>(layer), sum.value / sum.weight});
  }
  if (!curve.points.empty()) into.curves.push_back(std::move(curve));
}

void FamilySums::add(std::string_view tensor, double value) {
  total_ += value;
  std::string family = family_of(tensor);
  if (!sums_.contains(family) && sums_.size() == kMostFamilies) return;
  sums_[std::move(family)] += value;
}

void FamilySums::draw(const std::string& label, double factor, Picture& into) const {
  if (sums_.empty()) return;
  std::vector<std::pair<std::string, double>> rows(sums_.begin(), sums_.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (rows.size() > kRows) {
    double drawn = 0;
    for (size_t i = 0; i + 1 < kRows; ++i) drawn += rows[i].second;
    const size_t others = rows.size() - (kRows - 1);
    rows.resize(kRows - 1);
    rows.emplace_back(fmt::format("{} others", others), total_ - drawn);
  }
  Curve curve{label, Shape::points, {}};
  for (const auto& [name, sum] : rows)
    curve.points.push_back({sum * factor, static_cast<double>(into.row(name))});
  into.curves.push_back(std::move(curve));
}

}  // namespace mlq::plot
