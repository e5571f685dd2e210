// How fast the hot formats are imported: bytes of input per second of CPU time (all threads), from a file in
// the page cache to JSON Lines on /dev/null. The real files are repeated with shifted times until there are
// 100 MB.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "lib/arrival/import/import.h"
#include "lib/arrival/text/civil_time.h"
#include "lib/jsonl/line_reader.h"
#include "tests/bench/bench.h"
#include "tests/support/traces.h"

namespace {

using namespace mlq;

constexpr size_t kBytes = 100'000'000;

// `date` plus `days`, both YYYY-MM-DD.
std::string later_date(std::string_view date, int64_t days) {
  const auto day =
      *arrival::parse_iso(date, arrival::TimeZone()) / (arrival::kSecondsPerDay * arrival::kNsPerSecond);
  std::string out;
  arrival::format_utc((day + days) * arrival::kSecondsPerDay * arrival::kNsPerSecond, 0, out);
  return out.substr(0, 10);
}

std::string clf_date(int64_t day) {
  constexpr const char* names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const arrival::CivilDate date = arrival::civil_from_days(day);
  return fmt::format("{:02}/{}/{:04}", date.day, names[date.month - 1], date.year);
}

// The lines of copy `k` of a file: the same, later.
std::string shifted(const std::string& format, const std::string& line, int64_t k) {
  if (format == "azure-llm") return later_date(line.substr(0, 10), k) + line.substr(10) + "\r\n";
  if (format == "mooncake") {
    const size_t comma = line.find(',');
    const int64_t ms = std::stoll(line.substr(14, comma - 14));
    return fmt::format("{{\"timestamp\": {}{}\n", ms + k * 3'540'000, line.substr(comma));
  }
  const size_t at = line.find('[') + 1;
  const int64_t day =
      arrival::days_from_civil({std::stoi(line.substr(at + 7, 4)), 5, std::stoi(line.substr(at, 2))});
  return line.substr(0, at) + clf_date(day + 4 * k) + line.substr(at + 11) + "\n";
}

std::string repeated(const std::string& format, const std::string& path) {
  std::vector<std::string> lines;
  std::string text;
  jsonl::LineReader reader(Input::open(path));
  jsonl::Line line;
  while (reader.next(line)) {
    if (format == "azure-llm" && line.number == 1) {
      text = std::string(line.text) + "\r\n";
    } else {
      lines.emplace_back(line.text);
    }
  }
  for (int64_t k = 0; text.size() < kBytes; ++k) {
    for (const std::string& one : lines) text += shifted(format, one, k);
  }
  return text;
}

void import_speed(const std::string& format, const std::string& name) {
  const std::string path = test::trace_file(name);
  if (path.empty()) {
    std::fprintf(stderr, "import_bench: %s is not there; MLQ_TRACES names the directory of traces\n",
                 name.c_str());
    return;
  }
  const std::filesystem::path copy =
      std::filesystem::temp_directory_path() / fmt::format("mlq-import-bench.{}", ::getpid());
  size_t size = 0;
  {
    const std::string text = repeated(format, path);
    size = text.size();
    Output out = Output::open(copy.string());
    out.write(text);
    out.close();
  }
  arrival::ImportOptions options;
  options.threads = 1;
  arrival::ImportResult result;
  const double seconds = mlq::bench::cpu_of([&] {
    records::Writer writer(Output::open("/dev/null"), true);
    result = arrival::run_import(format, {copy.string()}, options, records::Run{}, writer);
  });
  std::filesystem::remove(copy);
  mlq::bench::report("import_" + format, static_cast<double>(size), "bytes", seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const auto wanted = [&](const char* format) { return argc < 2 || std::strcmp(argv[1], format) == 0; };
  if (wanted("azure-llm")) import_speed("azure-llm", "azure-llm-2023/AzureLLMInferenceTrace_code.csv");
  if (wanted("mooncake")) import_speed("mooncake", "mooncake/conversation_trace.jsonl");
  if (wanted("clf")) import_speed("clf", "clf/apache_logs");
}
