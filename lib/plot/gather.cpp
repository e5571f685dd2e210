// Weights gathered between ranks, and simulations of it. Steps beyond some thousand are thinned (thinned.h);
// of ranks and ways 16 are kept; of a way of gathering the worst tensor counts, exactly.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lib/plot/collector.h"
#include "lib/plot/thinned.h"
#include "lib/records/gather_schema.h"

namespace mlq::plot {
namespace {

constexpr size_t kMost = 16;

// What one rank saw of gathering in one way.
struct Seen {
  Thinned error, wire, bf16, encode, comm, decode;
};

// A way of gathering with some bits: the worst of all tensors.
struct Worst {
  double one = 0, mean = 0;
  bool safe = true;
};

struct Way {
  std::string mode;
  uint64_t block;
  auto operator<=>(const Way&) const = default;
};

class GatherCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  void step(const records::GatherStep& g);
  void simulated(const records::SimulatedGather& s);
  void draw_error(const std::string& prefix, Picture& into) const;
  void draw_bytes(const std::string& prefix, Picture& into) const;
  void draw_time(const std::string& prefix, Picture& into) const;
  void draw_simulated(const std::string& prefix, bool of_mean, Picture& into) const;

  std::map<std::pair<std::string, uint64_t>, Seen> seen_;  // by mode and bits, and rank
  std::map<Way, std::map<uint64_t, Worst>> ways_;          // by bits
};

void GatherCollector::step(const records::GatherStep& g) {
  const std::pair key(fmt::format("{} int{}", g.mode, g.bits), g.rank);
  if (!seen_.contains(key) && seen_.size() == kMost) return;
  Seen& seen = seen_[key];
  const double x = static_cast<double>(g.step);
  const auto seconds = [&](int64_t ns) { return Point{x, static_cast<double>(ns) / 1e9}; };
  seen.error.add({x, g.rel_rmse});
  seen.wire.add({x, static_cast<double>(g.wire_bytes)});
  seen.bf16.add({x, static_cast<double>(g.bf16_bytes)});
  seen.encode.add(seconds(g.encode_ns));
  seen.comm.add(seconds(g.comm_ns));
  seen.decode.add(seconds(g.decode_ns));
}

void GatherCollector::simulated(const records::SimulatedGather& s) {
  const Way way{s.mode, s.block};
  if (!ways_.contains(way) && ways_.size() == kMost) return;
  std::map<uint64_t, Worst>& by_bits = ways_[way];
  if (!by_bits.contains(s.bits) && by_bits.size() == kMost) return;
  Worst& worst = by_bits[s.bits];
  worst.one = std::max(worst.one, s.inst_rel_rmse);
  worst.mean = std::max(worst.mean, s.mean_rel_rmse);
  worst.safe = worst.safe && s.safe;
}

bool GatherCollector::take(const records::Reader& at) {
  if (at.type() == "gather")
    step(at.as<records::GatherStep>());
  else
    simulated(at.as<records::SimulatedGather>());
  return true;
}

// A line a rank.
void GatherCollector::draw_error(const std::string& prefix, Picture& into) const {
  into.title = "Relative error of what was gathered";
  into.y = {.label = "error", .logarithmic = true};
  const bool ranks =
      std::any_of(seen_.begin(), seen_.end(), [](const auto& s) { return s.first.second > 0; });
  for (const auto& [key, seen] : seen_)
    add_series(seen.error, Shape::line,
               prefix + key.first + (ranks ? fmt::format(" rank {}", key.second) : ""), into);
}

// All ranks send the same together: that of the first one of a mode.
void GatherCollector::draw_bytes(const std::string& prefix, Picture& into) const {
  into.title = "Bytes on the wire, a step";
  into.y = {.label = "bytes", .quantity = Quantity::bytes, .from_zero = true};
  std::string last;
  for (const auto& [key, seen] : seen_) {
    if (key.first != last) add_series(seen.wire, Shape::line, prefix + key.first, into);
    last = key.first;
  }
  const auto is_bf16 = [](const Curve& curve) { return curve.label == "as bf16"; };
  if (!seen_.empty() && std::none_of(into.curves.begin(), into.curves.end(), is_bf16))
    add_series(seen_.begin()->second.bf16, Shape::line, "as bf16", into);
}

void GatherCollector::draw_time(const std::string& prefix, Picture& into) const {
  into.title = "Time of a step, by what it went to";
  into.y = {.label = "time", .quantity = Quantity::time, .logarithmic = true};
  if (seen_.empty()) return;
  const auto& [key, seen] = *seen_.begin();
  const std::string name = fmt::format("{}rank {} ", prefix, key.second);
  add_series(seen.encode, Shape::line, name + "encode", into);
  add_series(seen.comm, Shape::line, name + "messages", into);
  add_series(seen.decode, Shape::line, name + "decode", into);
}

// A line a way over its bits, with letters where it is safe for all tensors.
void GatherCollector::draw_simulated(const std::string& prefix, bool of_mean, Picture& into) const {
  into.title =
      of_mean ? "Error of the mean of all gathers, worst tensor" : "Error of one gather, worst tensor";
  into.x = {.label = "bits of a code"};
  into.y = {.label = "relative error", .logarithmic = true};
  const bool one_block = std::all_of(ways_.begin(), ways_.end(), [&](const auto& way) {
    return way.first.block == ways_.begin()->first.block;
  });
  Curve safe{prefix + "safe", Shape::points, {}};
  for (const auto& [way, by_bits] : ways_) {
    Curve curve{prefix + way.mode + (one_block ? "" : fmt::format(" block {}", way.block)), Shape::line, {}};
    for (const auto& [bits, worst] : by_bits) {
      curve.points.push_back({static_cast<double>(bits), of_mean ? worst.mean : worst.one});
      if (worst.safe) safe.points.push_back(curve.points.back());
    }
    into.curves.push_back(std::move(curve));
  }
  if (!safe.points.empty()) into.curves.push_back(std::move(safe));
}

void GatherCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  into.x = {.label = "step"};
  if (picture == "error") draw_error(prefix, into);
  if (picture == "bytes") draw_bytes(prefix, into);
  if (picture == "time") draw_time(prefix, into);
  if (picture == "simulate") draw_simulated(prefix, false, into);
  if (picture == "simulate-mean") draw_simulated(prefix, true, into);
}

}  // namespace

Kind gather_kind() {
  return {"gather",
          "weights gathered between ranks by mlq-quant, or simulated",
          {"gather", "simulate"},
          {{"error", "relative error over steps, a line a rank"},
           {"bytes", "bytes on the wire over steps, and as bfloat16"},
           {"time", "time of encoding, messages and decoding over steps"},
           {"simulate", "error of one gather against bits, a line a way of gathering (from simulate)"},
           {"simulate-mean", "error of the mean of all gathers against bits (from simulate)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<GatherCollector>()); }};
}

}  // namespace mlq::plot
