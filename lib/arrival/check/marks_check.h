// Tests of `check` on what arrivals carry: classes, lengths, keys. Inside lib/arrival only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/arrival/check/findings.h"
#include "lib/arrival/law/law.h"
#include "lib/arrival/process/spec.h"
#include "lib/base/random.h"
#include "lib/records/arrival.h"
#include "lib/stats/reservoir.h"

namespace mlq::arrival {

// One length against its law. Values are whole, so each is spread over its step of the distribution function
// by a seeded draw: u = F(x - 1) + v (F(x) - F(x - 1)) is uniform under the claim.
class LengthCheck {
 public:
  LengthCheck(std::string name, LawPtr law, uint64_t seed, uint32_t stream, size_t capacity);
  void add(uint64_t value);
  void finish(Findings& findings) const;

 private:
  std::string name_;
  LawPtr law_;
  RandomStream random_;
  uint32_t stream_;
  uint64_t count_ = 0;
  stats::Reservoir<double> u_;
};

// The marks that a spec speaks of. Not thread-safe.
class MarksCheck {
 public:
  // Usage Errors for settings that cannot be read.
  MarksCheck(const ProcessSpec& spec, uint64_t seed, uint64_t memory_bytes);
  void add(const records::Arrival& arrival);
  void finish(Findings& findings) const;

 private:
  void read_classes(const std::string& text);
  void read_keys(const std::string& text);
  void finish_classes(Findings& findings) const;
  void finish_keys(Findings& findings) const;

  std::vector<std::pair<std::string, std::string>> skipped_;  // name and reason
  std::optional<LengthCheck> input_;
  std::optional<LengthCheck> output_;
  std::optional<LengthCheck> size_;
  std::map<std::string, double, std::less<>> class_share_;
  std::map<std::string, uint64_t, std::less<>> class_count_;
  LawPtr keys_;
  std::vector<uint64_t> key_edges_;  // cell k holds ranks from edge k up to the next edge
  std::vector<uint64_t> key_counts_;
};

}  // namespace mlq::arrival
