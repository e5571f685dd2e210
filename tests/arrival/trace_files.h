// Traces of tests: written to files, run through a command of the library, read back.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/records/arrival.h"
#include "lib/records/reader.h"
#include "lib/records/stream.h"
#include "lib/records/writer.h"
#include "tests/support/temp_dir.h"

namespace mlq::test {

// Arrivals at these times, with nothing else.
std::vector<records::Arrival> arrivals_at(const std::vector<int64_t>& times_ns);

// A trace file; with a `run` and an `end` if a duration is given.
std::string trace_file(const TempDir& dir, std::string_view name,
                       const std::vector<records::Arrival>& arrivals,
                       std::optional<int64_t> duration_ns = std::nullopt, records::Run run = {});

// A run record that says no more than it must.
records::Run test_run();

// Calls `write` with a writer to a file and gives back what it wrote.
struct Written {
  std::vector<records::Run> runs;
  std::optional<records::End> end;
  std::vector<records::Arrival> arrivals;
  std::vector<int64_t> times_ns;  // of the arrivals
  std::string text;
};
Written written_by(const TempDir& dir, const std::function<void(records::Writer&)>& write);

// All records of one type in a text of JSON Lines.
template <class T>
std::vector<T> records_in(const TempDir& dir, const std::string& text) {
  records::Reader reader(dir.file("records.jsonl", text), {});
  std::vector<T> out;
  while (reader.next()) {
    if (reader.type() == records::Schema<T>::type) out.push_back(reader.as<T>());
  }
  return out;
}

}  // namespace mlq::test
