// A stream of records, written: run first, end last, with the identity of the trace in between.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "lib/base/io.h"
#include "lib/records/arrival.h"
#include "lib/records/codec.h"
#include "lib/records/stream.h"

namespace mlq::records {

// XXH3-128 of arrival lines (each with its line feed), the identity of a trace. Not thread-safe.
class TraceHash {
 public:
  TraceHash();
  TraceHash(TraceHash&&) noexcept;
  TraceHash& operator=(TraceHash&&) noexcept;
  ~TraceHash();
  void update(std::string_view lines);
  std::string hex() const;  // 32 lower-case hexadecimal digits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Buffers up to 1 MiB. Not thread-safe; movable. Errors as Output's.
class Writer {
 public:
  // Without `provenance`, run and end are left out.
  Writer(Output output, bool provenance);

  void run(const Run& run);
  template <class T>
  void write(const T& record) {
    const size_t before = buffer_.size();
    write_record(buffer_, record);
    if constexpr (std::is_same_v<T, Arrival>) arrival_written(buffer_.view().substr(before), record.t_ns);
    ++count_;
    flush_if_full();
  }
  // Ready-made lines of `count` arrivals, the last of them at `last_t_ns`.
  void arrival_lines(std::string_view lines, uint64_t count, int64_t last_t_ns);

  // Ready-made lines of `count` records that are no arrivals.
  void lines(std::string_view lines, uint64_t count);
  // Passes what was written on to the reader at once. Of an output that replaces a file nothing is seen
  // before end() all the same.
  void flush();

  // Writes `end` (count, and for a trace its hash and duration, are filled in) and closes the output.
  // `duration_ns` of a trace is at least its last t_ns. A file that would replace another is dropped instead
  // if the end says `interrupted`: only what is whole takes its place, unless keep_interrupted() was called.
  void end(End end);
  // What was written stands on its own, however early it ends: a measurement that was cut short is one.
  void keep_interrupted() { keep_interrupted_ = true; }
  // For who has more to do than to write records: a reader that has gone is no ClosedPipe; what is written
  // from then on is dropped. `notice` is called once, from the thread that writes.
  void outlive_reader(std::function<void()> notice) { reader_has_gone_ = std::move(notice); }

  uint64_t count() const { return count_; }
  int64_t last_t_ns() const { return last_t_ns_; }

 private:
  void arrival_written(std::string_view line, int64_t t_ns);
  void flush_if_full();
  void write_buffer();
  template <class Step>
  void pass_on(Step step);

  Output output_;
  bool provenance_;
  bool keep_interrupted_ = false;
  std::function<void()> reader_has_gone_;
  bool without_reader_ = false;
  jsonl::Buffer buffer_;
  TraceHash hash_;
  bool trace_ = false;
  uint64_t count_ = 0;
  int64_t last_t_ns_ = 0;
};

}  // namespace mlq::records
