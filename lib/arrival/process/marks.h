// What an arrival carries beside its time: class, lengths, size, key. Each mark is drawn by the arrival's
// index, so marks do not move when the arrival process changes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/arrival/law/law.h"
#include "lib/arrival/process/spec.h"
#include "lib/base/random.h"
#include "lib/records/arrival.h"

namespace mlq::arrival {

// Names of the settings that marks take.
const std::vector<std::string_view>& mark_settings();

// Immutable; thread-safe.
class Marks {
 public:
  Marks(const Settings& settings, uint64_t seed, uint32_t stream);

  bool empty() const { return !any_; }
  bool may_drop() const { return context_ > 0 && context_rule_ == ContextRule::drop; }
  // Fills the marks of arrival `index` at `t_ns`. False: the request is over the context and is dropped.
  bool apply(uint64_t index, int64_t t_ns, records::Arrival& arrival) const;

 private:
  enum class ContextRule : uint8_t { truncate, drop, resample };
  struct Class {
    std::string name;
    double upto;  // cumulated share
  };
  struct Lengths {
    uint32_t input;
    uint32_t output;
  };

  void read_classes(const std::string& text);
  void read_context(const std::string& text);
  void read_keys(const Settings& settings);
  Lengths draw_lengths(uint64_t index, uint32_t attempt) const;
  bool apply_lengths(uint64_t index, records::Arrival& arrival) const;

  RandomStream class_random_;
  RandomStream length_random_;
  RandomStream key_random_;
  uint32_t stream_;
  bool any_ = false;
  std::vector<Class> classes_;
  LawPtr input_tokens_;
  LawPtr output_tokens_;
  LawPtr size_bytes_;
  std::shared_ptr<const std::vector<std::pair<uint32_t, uint32_t>>> rows_;  // read once, shared by copies
  uint32_t context_ = 0;
  ContextRule context_rule_ = ContextRule::truncate;
  LawPtr keys_;
  uint64_t key_count_ = 0;
  Rate churn_{0, 1};
};

}  // namespace mlq::arrival
