// Bars G1 to G3 of mlq-loadgen: times in memory, and JSON Lines to /dev/null. One thread, CPU time.
// usage: gen_bench [EVENTS]     default 20000000
#include <unistd.h>

#include <cstdlib>

#include "lib/arrival/process/generate.h"
#include "tests/bench/bench.h"

namespace {

using namespace mlq;

void times_in_memory(const char* name, const std::string& spec, uint64_t events) {
  std::vector<int64_t> times;
  times.reserve(events + arrival::kBlockEvents);
  std::fill_n(std::back_inserter(times), events,
              0);  // the pages are there before the clock runs, as in the rival
  times.clear();
  const double cpu = bench::cpu_of([&] {
    arrival::Process process =
        arrival::make_process(arrival::parse_spec(spec + " --count " + std::to_string(events)), {});
    arrival::Timeline timeline(std::move(process.times));
    while (timeline.next(times)) {
    }
  });
  if (times.size() != events) std::abort();
  bench::report(name, static_cast<double>(events), "events", cpu);
}

// Counts what passes and drops it.
uint64_t bytes_of_lines(const std::string& path) {
  Input input = Input::open(path);
  std::vector<char> buffer(1 << 20);
  uint64_t bytes = 0;
  while (const size_t n = input.read(buffer.data(), buffer.size())) bytes += n;
  return bytes;
}

void write_trace(const std::string& path, uint64_t events) {
  arrival::GenerateOptions options;
  options.spec = arrival::parse_spec("poisson --rate 10k/s --count " + std::to_string(events));
  records::Writer writer(Output::open(path), true);
  arrival::generate(options, {}, writer);
}

void json_lines(uint64_t events) {
  const double cpu = bench::cpu_of([&] { write_trace("/dev/null", events); });
  bench::report("poisson_jsonl", static_cast<double>(events), "events", cpu);
  // The same trace once more, to a file, to know its size.
  const std::string sample = "/tmp/gen_bench." + std::to_string(getpid());
  write_trace(sample, events);
  bench::report("poisson_jsonl_bytes", static_cast<double>(bytes_of_lines(sample)), "bytes", cpu);
  unlink(sample.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000'000;
  times_in_memory("poisson_times", "poisson --rate 10k/s", events);
  times_in_memory("gamma_times", "gamma --rate 10k/s --cv 2", events);
  json_lines(events);
  bench::report("memcpy", 1e9, "bytes", bench::memcpy_seconds(1'000'000'000));
}
