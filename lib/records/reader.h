// A stream of records, read one by one. Keeps the conventions of streams: run and end are set aside, unknown
// types and fields are passed over unless strict, a stream that has a run and lacks its end was cut.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/jsonl/line_reader.h"
#include "lib/records/codec.h"
#include "lib/records/stream.h"

namespace mlq::records {

struct ReaderOptions {
  bool strict = false;           // unknown types and fields are errors
  bool allow_truncated = false;  // a cut stream is no error
  const StopFlag* stop = nullptr;
};

// Errors: input Errors that name the stream and the line. Not thread-safe; movable.
class Reader {
 public:
  Reader(const std::string& path, ReaderOptions options);
  Reader(Input input, ReaderOptions options);

  // Moves to the next record that is neither run nor end. False at the end.
  bool next();
  // Of the current record; valid until next().
  std::string_view type() const { return type_; }
  uint64_t line() const { return line_.number; }
  std::string_view text() const { return line_.text; }  // as it stands in the stream, without its line end
  std::span<const jsonl::Member> members() const { return parser_.members(); }

  // The current record as a T.
  template <class T>
  T as() const {
    T record;
    check(read_record(members(), record));
    return record;
  }
  // The current record is of no use to the caller: an error when strict.
  void pass_over() const;

  // The run records seen so far; their JSON as one array, for `inputs` of our own run record.
  const std::vector<Run>& runs() const { return runs_; }
  const std::string& runs_json() const { return runs_json_; }
  const std::optional<End>& end() const { return end_; }
  // What is wrong with the stream as a whole once next() has returned false: it was cut. Empty if nothing is.
  std::string truncation() const;
  // Throws that as an input Error unless it is allowed. To be called when the work is done.
  void finish() const;

  bool interrupted() const { return lines_.input().interrupted(); }
  const std::string& name() const { return lines_.input().name(); }
  // `name:line`, for messages about the current record.
  std::string where() const;

 private:
  void check(const ReadResult& result) const;
  bool parse_line();
  bool set_aside();

  ReaderOptions options_;
  jsonl::LineReader lines_;
  jsonl::ObjectParser parser_;
  jsonl::Line line_;
  std::string_view type_;
  std::vector<Run> runs_;
  std::string runs_json_;
  std::optional<End> end_;
  size_t ends_ = 0;
  bool cut_line_ = false;
};

}  // namespace mlq::records
