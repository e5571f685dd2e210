#include "lib/arrival/import/import.h"

#include <fmt/format.h>

#include <filesystem>

#include "lib/arrival/import/format.h"
#include "lib/arrival/import/source.h"
#include "lib/arrival/import/write.h"
#include "lib/arrival/text/civil_time.h"
#include "lib/arrival/text/decimal.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

constexpr size_t kDetectBytes = size_t{64} << 10;
constexpr uint64_t kBadLinesAllowed = 10;
constexpr uint64_t kBadLinesShown = 3;
constexpr uint64_t kMaxLineBytes = uint64_t{1} << 30;  // rows hold their length in 32 bits

// The beginning of a line, fit to be shown on a terminal.
std::string quoted(std::string_view text) {
  constexpr size_t most = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, most)) out += c >= 0x20 && c < 0x7F ? c : '?';
  return out + (text.size() > most ? "...\"" : "\"");
}

const FormatEntry& format_named(std::string_view name) {
  if (name == "lengths")
    throw usage_error("lengths have no times and are no trace; use them with gen --lengths FILE");
  if (const FormatEntry* entry = find_format(name)) return *entry;
  std::string names = "auto";
  for (const ImportFormat& format : import_formats()) names += fmt::format(" {}", format.name);
  throw usage_error("unknown format \"{}\"; there are {}", name, names);
}

const FormatEntry& format_of(std::string_view head, const std::string& name) {
  if (head.empty()) throw input_error("{}: is empty; name the format instead of auto", name);
  const std::string_view found = detect_format(head);
  if (found.empty()) throw input_error("{}: not recognised; name the format instead of auto", name);
  return format_named(found);
}

// One import from its first file to its end record.
class Import {
 public:
  Import(std::string_view format, const ImportOptions& options)
      : options_(options), sink_(options), entry_(format == "auto" ? nullptr : &format_named(format)) {
    if (options.bin_ns && *options.bin_ns <= 0) throw usage_error("--bin: a bin is longer than 0");
    if (entry_ != nullptr) parser_ = entry_->make(sink_, options_);
  }

  void read(Input input, bool read_ahead) {
    names_.push_back(input.name());
    std::string head;
    if (entry_ == nullptr) {
      head = read_head(input, kDetectBytes);
      if (head.empty() && stopped()) return;
      entry_ = &format_of(head, input.name());
      parser_ = entry_->make(sink_, options_);
      sink_.notice(fmt::format("{}: read as {}", input.name(), entry_->info.name));
    }
    sink_.begin_file(input.name());
    parser_->begin_file();
    jsonl::LineReader lines(hashed_input(std::move(input), std::move(head), hash_, read_ahead, options_.stop),
                            static_cast<size_t>(std::min(options_.max_line_bytes, kMaxLineBytes)));
    const uint64_t before = result_.lines;
    read_lines(lines);
    if (stopped()) return;
    if (const char* bad = parser_->end_file()) note_bad(bad, "");
    if (result_.lines == before) sink_.notice(fmt::format("{}: is empty", sink_.file()));
  }

  bool stopped() const { return options_.stop != nullptr && *options_.stop; }

  ImportResult write(records::Run run, records::Writer& writer) {
    result_.interrupted = stopped();
    // What was read before a stop request is written; only a request that comes later cuts the writing short.
    const StopFlag* stop = result_.interrupted ? nullptr : options_.stop;
    check_bad_lines();
    if (parser_) parser_->end();
    describe_source(run);
    records::End end;
    if (entry_ != nullptr && entry_->info.yields == Yields::bins) {
      int64_t duration_ns = 0;
      result_.inversions = sink_.bin_inversions();
      result_.interrupted |= write_bins(sink_, options_, std::move(run), stop, writer, duration_ns);
      end.duration_ns = duration_ns;
    } else {
      sink_.rows().finish();
      result_.inversions = sink_.rows().inversions();
      result_.interrupted |= write_arrivals(sink_, sink_.rows(), options_, std::move(run), stop, writer);
    }
    report_order();
    result_.bad_bytes = sink_.bad_bytes();
    result_.records = writer.count();
    end.bad_lines = result_.bad_lines;
    end.bad_bytes = result_.bad_bytes;
    end.inversions = result_.inversions;
    if (result_.interrupted) end.interrupted = true;
    writer.end(end);
    return result_;
  }

 private:
  void read_lines(jsonl::LineReader& lines) {
    jsonl::Line line;
    while (lines.next(line)) {
      ++result_.lines;
      sink_.at_line(line.number);
      const char* bad = line.too_long ? "longer than --max-line" : parser_->line(line);
      if (bad != nullptr) note_bad(bad, line.text);
      if (line.number % 4096 == 0 && stopped()) return;
    }
  }

  void note_bad(const char* reason, std::string_view text) {
    if (++result_.bad_lines <= kBadLinesShown) {
      sink_.notice(fmt::format("{}: {}: {}", sink_.where(), reason, quoted(text)));
    }
  }

  void check_bad_lines() const {
    const uint64_t bad = result_.bad_lines;
    __extension__ using Wide = unsigned __int128;
    const bool over_share = Wide{bad} * options_.max_bad.den > Wide{result_.lines} * options_.max_bad.num;
    if (bad > kBadLinesAllowed && over_share) {
      throw input_error(
          "{}: {} of {} lines could not be read as {}; is it another format? (--max-bad allows more)",
          sink_.file(), bad, result_.lines, entry_->info.name);
    }
    if (bad > 0) sink_.notice(format_count(bad, "bad line") + " passed over");
  }

  void report_order() const {
    if (result_.inversions > 0) {
      sink_.notice(format_count(result_.inversions, "row") + " came before the row above in time; sorted");
    }
  }

  void describe_source(records::Run& run) const {
    std::string files;
    for (const std::string& name : names_) {
      if (!files.empty()) files += ", ";
      files += std::filesystem::path(name).filename().string();
    }
    const bool known = entry_ != nullptr && !entry_->data_set.empty();
    run.source_name = options_.source_name.value_or(known ? std::string(entry_->data_set) : files);
    run.source_license = options_.source_license;
    if (!run.source_license && known) run.source_license = std::string(entry_->license);
    run.source_xxh3 = hash_.hex();
    run.prefix_block_tokens = sink_.prefix_block_tokens;
  }

  const ImportOptions& options_;
  ImportSink sink_;
  const FormatEntry* entry_;  // null until the first file has told
  std::unique_ptr<FormatParser> parser_;
  SourceHash hash_;
  std::vector<std::string> names_;
  ImportResult result_;
};

// Reading a file ends; reading a pipe may wait for ever.
bool is_file(const std::string& path) {
  std::error_code ignored;
  return path != "-" && std::filesystem::is_regular_file(path, ignored);
}

}  // namespace

ImportResult run_import(std::string_view format, const std::vector<std::string>& files,
                        const ImportOptions& options, records::Run base, records::Writer& writer) {
  Import import(format, options);
  for (const std::string& path : files) {
    if (import.stopped()) break;
    import.read(Input::open(path, options.stop), options.threads > 1 && is_file(path));
  }
  return import.write(std::move(base), writer);
}

ImportResult run_import(std::string_view format, Input input, const ImportOptions& options, records::Run base,
                        records::Writer& writer) {
  Import import(format, options);
  import.read(std::move(input), false);
  return import.write(std::move(base), writer);
}

int64_t parse_origin(std::string_view text) {
  if (text.starts_with('@')) {
    if (const auto ns = parse_decimal64(text.substr(1), 9)) return *ns;
  } else if (const auto ns = parse_iso(text, TimeZone())) {
    return *ns;
  } else {
    try {
      return parse_duration(text);
    } catch (const Error&) {
    }
  }
  throw usage_error(
      "\"{}\" is no time: expected 2023-11-16T18:00:00Z, @ and seconds since 1970, or a duration from the "
      "source's zero",
      text);
}

}  // namespace mlq::arrival
