#include "lib/simigrad/replay/pareto.h"

#include <algorithm>
#include <sstream>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/base/units.h"

namespace mlq::simigrad {
namespace {

constexpr size_t kLargestTable = size_t{1} << 20;
constexpr std::string_view kPerSample = "*samples";

// Duration in ns, also where it is a fraction of one.
double parse_time(std::string_view text) { return static_cast<double>(parse_duration(text)); }

std::vector<std::pair<double, double>> read_table(const std::string& path) {
  std::vector<std::pair<double, double>> points;
  std::istringstream text(read_file(path, kLargestTable));
  std::string line;
  for (uint64_t number = 1; std::getline(text, line); ++number) {
    line = line.substr(0, line.find('#'));
    std::istringstream words(line);
    std::string batch, time, more;
    if (!(words >> batch)) continue;
    if (!(words >> time) || (words >> more))
      throw input_error("{}:{}: \"{}\" must be a batch and a time, like 256 12ms", path, number, line);
    try {
      points.emplace_back(static_cast<double>(parse_count(batch)), parse_time(time));
    } catch (const Error& error) {
      throw input_error("{}:{}: {}", path, number, error.what());
    }
    if (points.size() > 1 && points.back().first <= points[points.size() - 2].first)
      throw input_error("{}:{}: batch {} must be above the one before it", path, number, batch);
  }
  if (points.size() < 2) throw input_error("{}: two lines or more are needed, each a batch and a time", path);
  return points;
}

}  // namespace

StepTime StepTime::parse(std::string_view text) {
  StepTime time;
  const bool formula = !text.empty() && ((text.front() >= '0' && text.front() <= '9') || text.front() == '.');
  if (!formula) {
    time.points_ = read_table(std::string(text));
    return time;
  }
  double fixed = 0, each = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('+', at), text.size());
    std::string_view term = text.substr(at, end - at);
    const bool per_sample = term.ends_with(kPerSample);
    if (per_sample) term.remove_suffix(kPerSample.size());
    (per_sample ? each : fixed) += parse_time(term);
    at = end + 1;
  }
  time.points_ = {{0, fixed}, {1, fixed + each}};
  return time;
}

double StepTime::ns(uint64_t batch) const {
  const double x = static_cast<double>(batch);
  size_t i = 1;
  while (i + 1 < points_.size() && points_[i].first < x) ++i;
  const auto& [x0, y0] = points_[i - 1];
  const auto& [x1, y1] = points_[i];
  return std::max(0.0, y0 + (y1 - y0) * (x - x0) / (x1 - x0));
}

Budget Budget::parse(std::string_view text) {
  Budget budget;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string_view term = text.substr(at, end - at);
    const size_t sign = term.find("<=");
    const std::string_view name = term.substr(0, sign);
    if (sign == term.npos || (name != "steps" && name != "samples" && name != "wall"))
      throw usage_error("\"{}\" must be like steps<=5000, samples<=2M or wall<=12h", term);
    const std::string_view value = term.substr(sign + 2);
    if (name == "steps") budget.steps_ = parse_count(value);
    if (name == "samples") budget.samples_ = parse_count(value);
    if (name == "wall") budget.wall_ns_ = parse_duration(value);
    at = end + 1;
  }
  return budget;
}

bool Budget::holds(const records::Pareto& point) const {
  if (steps_ && point.steps > *steps_) return false;
  if (samples_ && point.samples > *samples_) return false;
  return !wall_ns_ || point.wall_ns <= static_cast<double>(*wall_ns_);
}

void mark_dominated(std::vector<records::Pareto>& points) {
  for (records::Pareto& p : points)
    p.dominated = std::any_of(points.begin(), points.end(), [&](const records::Pareto& other) {
      return other.steps <= p.steps && other.samples <= p.samples &&
             (other.steps < p.steps || other.samples < p.samples);
    });
}

}  // namespace mlq::simigrad
