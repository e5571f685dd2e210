// What the formats that are tables with a header share.
#pragma once

#include <initializer_list>

#include "lib/arrival/import/format.h"
#include "lib/arrival/text/csv.h"

namespace mlq::arrival {

using CsvFields = std::span<const CsvField>;

// Splits the lines of a table; the delimiter is found in its first line.
class TableParser : public FormatParser {
 public:
  TableParser(ImportSink& sink, uint64_t max_record_bytes)
      : sink_(sink), max_record_bytes_(max_record_bytes) {}

  void begin_file() override { first_ = true; }
  const char* line(const jsonl::Line& line) final;
  const char* end_file() override;

 protected:
  // The first record of a file: true if it was a header, false if it is a row. May throw.
  virtual bool header(CsvFields fields) = 0;
  virtual const char* row(CsvFields fields) = 0;

  // The place of the column with this name. Without one: an input Error that names the header.
  size_t column(CsvFields fields, std::string_view name) const;
  static std::optional<size_t> find_column(CsvFields fields, std::string_view name);
  ImportSink& sink() { return sink_; }

 private:
  ImportSink& sink_;
  uint64_t max_record_bytes_;
  CsvSplitter csv_;
  bool first_ = true;
};

// A finite number >= 0; empty otherwise.
std::optional<double> parse_count_value(std::string_view text);

}  // namespace mlq::arrival
