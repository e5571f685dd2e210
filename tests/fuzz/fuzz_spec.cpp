// Processes as text: refused, or a canonical text that reads back, a process that can be built, and a first
// block of sorted times. Time and count are cut short: the target looks for crashes, not for long traces.
#include <algorithm>

#include "lib/arrival/process/generate.h"
#include "lib/base/units.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mlq;
using namespace mlq::arrival;

// Names of files would read what lies about; marks and sources may hide them.
bool names_a_file(const ProcessSpec& spec) {
  const auto mentions = [](const std::string& value, std::string_view word) {
    return value.find(word) != value.npos;
  };
  for (const auto& setting : spec.settings) {
    const std::string& value = setting.second;
    const auto& infos = setting_infos();
    const bool file = std::any_of(infos.begin(), infos.end(), [&](const SettingInfo& info) {
      return info.file && info.name == setting.first;
    });
    if (file || mentions(value, "empirical") || mentions(value, "rate-file") || mentions(value, "preset"))
      return true;
    if (mentions(value, "points") || mentions(value, "generator") || mentions(value, "matrices") ||
        mentions(value, "lengths") || mentions(value, "jump")) {
      return true;
    }
  }
  return spec.process == "rate-file" || (spec.process == "preset" && spec.argument == "rrl-wiki");
}

void set(ProcessSpec& spec, const std::string& name, const std::string& value) {
  std::erase_if(spec.settings, [&](const auto& s) { return s.first == name; });
  spec.settings.emplace_back(name, value);
}

constexpr int64_t kDurationNs = 1'000;

// The same process, and those it is made of, for a short time.
ProcessSpec cut(ProcessSpec spec, const std::string& count) {
  for (auto& [name, value] : spec.settings) {
    if (name == "source") value = format_spec(cut(parse_spec(value), count));
  }
  set(spec, "duration", "1us");
  set(spec, "count", count);
  return spec;
}

void build(const ProcessSpec& spec) {
  Process process = make_process(spec, {});
  Block block;
  block.instants = 64;
  process.times->draw(block);
  process.times->sequence(block);
  process.times->place(block);
  MLQ_FUZZ_CLAIM(std::is_sorted(block.times.begin(), block.times.end()));
  MLQ_FUZZ_CLAIM(block.times.empty() || (block.times.front() >= 0 && block.times.back() < kDurationNs));
  records::Arrival arrival;
  for (size_t k = 0; k < std::min<size_t>(block.times.size(), 8); ++k) {
    process.marks.front().apply(k, block.times[k], arrival);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  ProcessSpec spec;
  if (!fuzz::accepted([&] { spec = parse_spec(text); })) return 0;
  const std::string canonical = format_spec(spec);
  MLQ_FUZZ_CLAIM(format_spec(parse_spec(canonical)) == canonical);
  if (names_a_file(spec)) return 0;
  fuzz::accepted([&] { build(cut(spec, "inf")); });
  fuzz::accepted([&] { build(cut(spec, "50")); });
  fuzz::accepted([&] { expected(cut(spec, "inf"), {}); });
  return 0;
}
