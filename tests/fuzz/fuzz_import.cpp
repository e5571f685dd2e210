// Every format of import: no bytes break it. The first byte chooses the format ('a' is the first of the
// table, then on; past the end: auto), the second the options, the rest is the file.
#include "lib/arrival/import/import.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

std::string_view format_of(uint8_t choice) {
  const auto formats = arrival::import_formats();
  const size_t at = static_cast<uint8_t>(choice - 'a');
  return at < formats.size() ? formats[at].name : "auto";
}

arrival::ImportOptions options_of(uint8_t bits) {
  arrival::ImportOptions options;
  options.bin_ns = 1'000'000'000;
  options.max_bad = {1, 1};
  options.max_line_bytes = 1 << 16;
  options.dequantise = static_cast<arrival::Dequantise>(bits % 3);
  if ((bits & 4) != 0) options.failures = arrival::Failures::keep;
  if ((bits & 8) != 0) options.sort = arrival::ImportSort::assume;
  if ((bits & 16) != 0) options.columns.time_format = "%d/%b/%Y:%H:%M:%S %z";
  if ((bits & 32) != 0) options.columns.tz = "CET-1CEST,M3.5.0,M10.5.0/3";
  if ((bits & 64) != 0) options.columns.time_unit = arrival::TimeUnit::ms;
  if ((bits & 128) != 0) options.columns.value_transform = arrival::ValueTransform::exp;
  return options;
}

// As many arrivals as the writer counted; never more records than lines, but for matrices.
void import(std::string_view format, uint8_t bits, std::string_view file) {
  records::Writer writer(Output::open("/dev/null"), true);
  const auto result =
      arrival::run_import(format, Input::from_bytes("fuzz", file), options_of(bits), records::Run{}, writer);
  MLQ_FUZZ_CLAIM(result.records == writer.count());
  MLQ_FUZZ_CLAIM(result.bad_lines <= result.lines);
  MLQ_FUZZ_CLAIM(result.inversions <= result.lines);
  MLQ_FUZZ_CLAIM(result.bad_bytes <= file.size());
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view file = mlq::fuzz::text_of(data + 2, size - 2);
  mlq::fuzz::accepted([&] { mlq::fuzz::import(mlq::fuzz::format_of(data[0]), data[1], file); });
  return 0;
}
