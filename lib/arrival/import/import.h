// Import: foreign logs and traces to records.
//
// A format parses lines; everything else is common: bad lines, order, origin, resolution, what the `run`
// record says of the source. Rows are kept as finished JSON tails beside their time, so that sorting moves 16
// bytes a row and rendering is a copy; beyond a memory limit they go to an unnamed temporary file in sorted
// runs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/import/dequantise.h"
#include "lib/base/io.h"
#include "lib/base/stop.h"
#include "lib/base/units.h"
#include "lib/records/writer.h"

namespace mlq::arrival {

enum class ImportSort {
  yes,     // rows out of order are sorted, with a notice
  assume,  // a row out of order is an input Error
};
enum class Failures { drop, keep };
enum class Fill {
  gap,   // missing bins stay missing
  zero,  // they are written with count 0
  hold,  // they are written with the count before them
};
enum class HeaderLine { detect, yes, no };
enum class TimeUnit { s, ms, us, ns };
enum class ValueTransform { none, exp };

// Which columns hold what, for the formats csv, jsonl and counts. A column is named by its header (jsonl:
// key) or, in csv and counts, by its number from 1. Empty: the field names of arrival records are looked for,
// and for the time also timestamp, time, ts, datetime and date in any case, then (csv, counts) column 1.
// Without value_col, counts are in column 2.
struct ImportColumns {
  std::string time_col;
  std::string input_col;         // input_tokens
  std::string output_col;        // output_tokens
  std::string class_col;         // class
  std::string conversation_col;  // conversation
  std::string bytes_col;         // size_bytes
  std::string value_col;         // the count of a bin
  // How times are written: % and one of Y y m d e b B j H I p M S f z s T F D n t %, as in strptime; f is 1
  // to 18 digits of a fraction, z is Z, +hh, +hhmm or +hh:mm. Empty: a number in `time_unit`, or ISO 8601
  // (date, or date and time divided by T or a space, any number of decimals, with or without an offset).
  std::string time_format;
  // Unit of times that are bare numbers. They count from 1970 if they are 10^8 s or more, else from an
  // unknown start.
  TimeUnit time_unit = TimeUnit::s;
  // Zone of times that name none: UTC, an offset (+02:00), a POSIX rule (CET-1CEST,M3.5.0,M10.5.0/3) or a
  // name of the system's zone files (Europe/Amsterdam). A time that occurs twice is taken as the first; one
  // that is skipped as if the clock had not been put forward.
  std::string tz = "UTC";
  HeaderLine header = HeaderLine::detect;
  ValueTransform value_transform = ValueTransform::none;  // exp: the file holds ln(count)
};

struct ImportOptions {
  // The source's time that becomes t_ns = 0, as parse_origin gives it; without it the first event (bins: the
  // start of the first bin; gaps: the start of the first gap). An event before it is an input Error.
  std::optional<int64_t> origin_ns;
  Dequantise dequantise = Dequantise::none;
  uint64_t seed = 1;  // of dequantise
  ImportSort sort = ImportSort::yes;
  // Rows are held in memory up to this many bytes, then sorted in runs in `temp_folder` and merged.
  uint64_t memory_bytes = uint64_t{1} << 30;
  std::string temp_folder = ".";  // the folder of the output
  // Lines that cannot be read are passed over up to this share of all lines, or 10 if that is more; beyond,
  // an input Error.
  Ratio max_bad = {1, 100};
  uint64_t max_line_bytes = uint64_t{64} << 20;  // a longer line is a bad line
  Failures failures = Failures::drop;            // burstgpt: requests that failed (answers of 0 tokens)
  // Width of a bin. Needed by limbo, whose files do not say it; counts: else the median distance of their
  // times.
  std::optional<int64_t> bin_ns;
  Fill fill = Fill::gap;
  ImportColumns columns;
  std::optional<std::string> source_name;  // else the data set, where the format tells it, or the file names
  std::optional<std::string> source_license;  // else the data set's, where the format tells it
  unsigned threads = 2;            // 1: reading and decompressing are done between parsing; else beside it
  const StopFlag* stop = nullptr;  // may be null; when set, what was read is written and the result says so
  std::function<void(const std::string&)> notice;  // lines for people, without a prefix; may be empty
};

enum class Yields { arrivals, bins };

struct ImportFormat {
  std::string_view name;
  std::string_view summary;  // one sentence
  Yields yields;
};

// Every format, in the order in which help shows them; `auto` is not among them. A static table.
std::span<const ImportFormat> import_formats();

struct ImportResult {
  uint64_t lines = 0;    // all lines of the sources, headers too
  uint64_t records = 0;  // arrivals or bins written
  uint64_t bad_lines = 0;
  uint64_t bad_bytes = 0;   // no UTF-8, became U+FFFD
  uint64_t inversions = 0;  // rows before their predecessor in time
  bool interrupted = false;
};

// Reads `files` (`-` is standard input), writes run, records, end, and closes the writer. Several files are
// one trace: formats with absolute times are put together by time; those that count from their own start
// follow one another; servegen's are clients side by side. `base` is the run record to complete with what the
// source tells. `format` may be `auto`: then the first 64 KiB decide. Throws usage Errors (unknown format or
// column, missing bin width), input Errors (file and line named) and what Input and Writer throw. Not before
// everything is read is anything written.
ImportResult run_import(std::string_view format, const std::vector<std::string>& files,
                        const ImportOptions& options, records::Run base, records::Writer& writer);
// The same from one open input.
ImportResult run_import(std::string_view format, Input input, const ImportOptions& options, records::Run base,
                        records::Writer& writer);

// The name of the format that `head`, the beginning of a file, looks like; empty if none. csv, jsonl and
// counts are never guessed where they would need flags.
std::string_view detect_format(std::string_view head);

// `2023-11-16T18:00:00Z` (no offset: UTC), `@1700158623.5` (Unix seconds), or a duration from the source's
// own zero
// (`90s`). Usage Error otherwise.
int64_t parse_origin(std::string_view text);

// A file of token lengths (input, output), in file order: vidur's (num_prefill_tokens, num_decode_tokens,
// ...), any CSV whose header has input_tokens and output_tokens or that has two columns of whole numbers, or
// JSON Lines with input_tokens and output_tokens. Input Error on anything else and on an empty file.
std::vector<std::pair<uint32_t, uint32_t>> read_lengths(const std::string& path);

}  // namespace mlq::arrival
