// Comma-separated values (RFC 4180), read and written.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/jsonl/buffer.h"
#include "lib/jsonl/line_reader.h"

namespace mlq::arrival {

struct CsvField {
  std::string_view text;  // without quotes
  bool quoted = false;    // "" is a text without letters, an empty field without quotes is no value
};

// Puts records together from lines: a quoted field may go over several. Quotes are quotes only at the
// beginning of a field; fields that do not begin with one are taken as they are. Reuses its memory; not
// thread-safe.
class CsvSplitter {
 public:
  enum class State {
    record,  // fields() is a whole record
    open,    // a quoted field goes on in the next line
    bad,     // text stands behind a closing quote
  };

  explicit CsvSplitter(char delimiter = ',') : delimiter_(delimiter) {}

  char delimiter() const { return delimiter_; }
  State feed(const jsonl::Line& line);
  // Valid until the next call of feed(), and no longer than the line.
  std::span<const CsvField> fields() const { return fields_; }
  // A record was begun and not ended.
  bool open() const { return open_; }
  // Bytes held for an open record.
  size_t pending() const { return pending_.size(); }
  // Gives up an open record.
  void reset();

 private:
  State split(std::string_view text);
  bool take_quoted(std::string_view& text);

  char delimiter_;
  bool open_ = false;
  std::string pending_;    // lines of a record over several
  std::string unescaped_;  // fields in which quotes were doubled; never grows while it is pointed into
  std::vector<CsvField> fields_;
};

// The delimiter of a file that begins with this line: of comma, tab and semicolon the one that is there most
// often outside of quotes; comma if none is.
char detect_delimiter(std::string_view line);

// Appends a field, quoted where it has to be, so that CsvSplitter reads the same text.
void write_csv_field(jsonl::Buffer& out, std::string_view text);

}  // namespace mlq::arrival
