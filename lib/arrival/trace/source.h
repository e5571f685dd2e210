// A trace as a stream of arrivals, pulled one by one: the common ground of xform, stat and check.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/records/arrival.h"
#include "lib/records/reader.h"

namespace mlq::arrival {

// Gives the arrivals of a trace in the order (t_ns, i). Every arrival has its `i`. Not thread-safe.
class Source {
 public:
  virtual ~Source() = default;
  // Moves to the next arrival. False at the end.
  virtual bool next(records::Arrival& arrival) = 0;
  // Length of the trace, at least its last t_ns. Known once next() has returned false.
  virtual int64_t duration_ns() const = 0;
  // What is known of the whole trace: the fields of its run record that still hold. Known from the start.
  virtual const records::Run& about() const = 0;
  // Says that a stream behind it was cut, once next() has returned false; empty if none was.
  virtual std::string truncation() const = 0;
};

// Throws truncation() as an input Error unless the options allow it. To be called when the work is done.
void refuse_truncation(const Source& source, const records::ReaderOptions& options);

// What is done about arrivals that come before an earlier one.
enum class SortMode {
  automatic,  // a regular file is scanned first and sorted in memory if it must be; in a pipe, an input Error
  memory,     // all arrivals are read and sorted first, from a pipe too
  assume,     // an input Error
};

struct TraceOptions {
  records::ReaderOptions reader;
  SortMode sort = SortMode::automatic;
  uint64_t memory_bytes = uint64_t{1} << 30;  // most that sorting may hold; an input Error beyond
  // Told what people should know and no record says, one line each; may be empty.
  std::function<void(const std::string&)> notice;
  // Offered every record that is no arrival, at its place among the arrivals of an ordered stream; false
  // where it has no use for it. May be empty.
  std::function<bool(const records::Reader&)> other;
};

// The trace in one file or stream of records.
class FileSource : public Source {
 public:
  // The run records of the stream, as elements of a JSON array; for `inputs`.
  virtual std::string runs_json() const = 0;
  // Arrivals that came before an earlier one.
  virtual uint64_t inversions() const = 0;
  // False if the first arrival has no `i` of its own.
  virtual bool numbered() const = 0;
};

// Completes the run record of a program that reads a trace: its history, and of `about` what the program
// itself does not say (origin, resolution, source).
void complete_run(records::Run& run, const records::Run& about, const std::string& runs_json);

// What `automatic` comes to for this file: memory or assume. For a file that is opened several times.
SortMode settled_sort_mode(const std::string& path, const TraceOptions& options);

// Opens a trace ("-" is standard input). Reads as far as its first record. Errors: those of records::Reader,
// at open and in next(); at the end of a stream that was cut, an input Error unless allowed; disorder as
// above. Memory: one record, or all arrivals if they must be sorted.
std::unique_ptr<FileSource> open_trace(const std::string& path, const TraceOptions& options);

}  // namespace mlq::arrival
