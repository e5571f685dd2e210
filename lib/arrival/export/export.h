// Export: traces to foreign formats. The one place whose output is not records.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/io.h"
#include "lib/records/reader.h"

namespace mlq::arrival {

struct ExportFormat {
  std::string_view name;
  std::string_view summary;  // one sentence
};

// Every format, in the order in which help shows them. A static table.
std::span<const ExportFormat> export_formats();

struct ExportOptions {
  // Absolute time of t_ns = 0, for formats that have one; else that of the run record, else 1970 with a
  // notice.
  std::optional<int64_t> epoch_unix_ns;
  // csv holds its rows until it knows which columns occur: in memory up to this, then in `temp_folder`.
  uint64_t memory_bytes = uint64_t{1} << 30;
  std::string temp_folder = ".";
  std::function<void(const std::string&)> notice;  // what the format cannot hold; may be empty
};

// Writes the arrivals of `in` and closes `out`; returns how many there were. Records of other types are
// passed over.
//   csv        header and one column for every arrival field that occurs; RFC 4180; an empty text is "", a
//   field that
//              is not there is nothing at all; prefix_ids are divided by spaces
//   gaps       seconds since the arrival before (the first: since t_ns = 0), 9 decimals, one a line
//   mooncake   JSON Lines of timestamp (ms), input_length, output_length, hash_ids
//   azure-llm  TIMESTAMP,ContextTokens,GeneratedTokens; CRLF; the last line has no line end
// Importing what was exported gives the same arrivals as far as the format can hold them; what it cannot
// (parts of a millisecond, fields) is dropped, with a notice for times. Errors: usage (unknown format);
// input, naming the line (a field that the format needs is missing; times not in order).
uint64_t run_export(std::string_view format, records::Reader& in, Output out, const ExportOptions& options);

}  // namespace mlq::arrival
