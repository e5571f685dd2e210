#include "lib/arrival/export.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <tuple>

#include "lib/arrival/civil_time.h"
#include "lib/arrival/import_rows.h"
#include "lib/base/error.h"
#include "lib/records/arrival.h"

namespace mlq::arrival {
namespace {

using records::Arrival;

constexpr int64_t kNsPerMs = 1'000'000;

// Where rows go, and what is known of where they come from.
struct Writing {
  records::Reader& in;
  Output& out;
  const ExportOptions& options;
  jsonl::Buffer text = {};

  void flush() {
    out.write(text.view());
    text.clear();
  }
  void flush_if_full() {
    constexpr size_t kFull = size_t{1} << 20;
    if (text.size() > kFull) flush();
  }
  void notice(const std::string& message) const {
    if (options.notice) options.notice(message);
  }
};

class Exporter {
 public:
  virtual ~Exporter() = default;
  virtual void row(const Arrival& arrival, Writing& to) = 0;
  virtual void end(Writing&) {}
};

template <class T>
const T& needed(const std::optional<T>& field, std::string_view name, const Writing& to) {
  if (!field) throw input_error("{}: the arrival has no {}, which this format needs", to.in.where(), name);
  return *field;
}

void append_decimal(jsonl::Buffer& out, int64_t ns) {
  out.integer(ns / kNsPerSecond);
  out.raw('.');
  const auto part = static_cast<uint64_t>(ns % kNsPerSecond);
  std::array<char, 9> digits{};
  uint64_t rest = part;
  for (size_t k = digits.size(); k-- > 0; rest /= 10) digits[k] = static_cast<char>('0' + rest % 10);
  out.raw({digits.data(), digits.size()});
}

class Gaps final : public Exporter {
 public:
  void row(const Arrival& arrival, Writing& to) override {
    if (arrival.t_ns < last_)
      throw input_error("{}: t_ns goes back, and a gap cannot be negative", to.in.where());
    append_decimal(to.text, arrival.t_ns - last_);
    to.text.raw('\n');
    last_ = arrival.t_ns;
  }

 private:
  int64_t last_ = 0;
};

class Mooncake final : public Exporter {
 public:
  void row(const Arrival& arrival, Writing& to) override {
    if (arrival.t_ns % kNsPerMs != 0 && !told_) {
      told_ = true;
      to.notice("mooncake holds milliseconds: the rest of the times is dropped");
    }
    to.text.raw("{\"timestamp\": ");
    to.text.integer(arrival.t_ns / kNsPerMs);
    to.text.raw(", \"input_length\": ");
    to.text.integer(needed(arrival.input_tokens, "input_tokens", to));
    to.text.raw(", \"output_length\": ");
    to.text.integer(needed(arrival.output_tokens, "output_tokens", to));
    to.text.raw(", \"hash_ids\": [");
    if (arrival.prefix_ids) {
      for (size_t k = 0; k < arrival.prefix_ids->size(); ++k) {
        if (k > 0) to.text.raw(", ");
        to.text.integer((*arrival.prefix_ids)[k]);
      }
    }
    to.text.raw("]}\n");
  }

 private:
  bool told_ = false;
};

class AzureLlm final : public Exporter {
 public:
  void row(const Arrival& arrival, Writing& to) override {
    if (!begun_) begin(to);
    if (arrival.t_ns < last_)
      throw input_error("{}: t_ns goes back; this format is in order of time", to.in.where());
    last_ = arrival.t_ns;
    if (arrival.t_ns % 100 != 0 && !told_) {
      told_ = true;
      to.notice("azure-llm holds steps of 100 ns: the rest of the times is dropped");
    }
    time_.clear();
    format_utc(epoch_ + arrival.t_ns, 7, time_);
    to.text.raw("\r\n");
    to.text.raw(time_);
    to.text.raw(',');
    to.text.integer(needed(arrival.input_tokens, "input_tokens", to));
    to.text.raw(',');
    to.text.integer(needed(arrival.output_tokens, "output_tokens", to));
  }
  void end(Writing& to) override {
    if (!begun_) begin(to);
  }

 private:
  void begin(Writing& to) {
    begun_ = true;
    to.text.raw("TIMESTAMP,ContextTokens,GeneratedTokens");
    const auto& runs = to.in.runs();
    if (to.options.epoch_unix_ns) {
      epoch_ = *to.options.epoch_unix_ns;
    } else if (!runs.empty() && runs.front().epoch_unix_ns) {
      epoch_ = *runs.front().epoch_unix_ns;
    } else {
      to.notice("the trace does not say when it began: its times count from 1970-01-01 (--origin says else)");
    }
  }
  bool begun_ = false;
  bool told_ = false;
  int64_t epoch_ = 0;
  int64_t last_ = 0;
  std::string time_;
};

// Rows wait, cell by cell, until it is known which columns occur.
class Csv final : public Exporter {
 public:
  explicit Csv(const ExportOptions& options) : rows_(options.memory_bytes, options.temp_folder) {}

  void row(const Arrival& arrival, Writing&) override {
    jsonl::Buffer& row = rows_.begin();
    size_t column = 0;
    const auto add = [&]<class F>(const F&) {
      const auto& member = arrival.*F::member;
      if constexpr (F::required) {
        add_cell(row, member);
        used_[column] = true;
      } else if (member) {
        add_cell(row, *member);
        used_[column] = true;
      } else {
        add_length(row, kAbsent);
      }
      ++column;
    };
    std::apply([&](const auto&... fields) { (add(fields), ...); }, records::Schema<Arrival>::fields);
    rows_.commit(count_++);  // the place is the time: rows stay in their order
  }

  void end(Writing& to) override {
    rows_.finish();
    size_t column = 0;
    const auto name = [&](std::string_view text) {
      if (!used_[column++] && count_ > 0) return;
      if (!to.text.empty()) to.text.raw(',');
      to.text.raw(text);
    };
    std::apply([&](const auto&... fields) { (name(fields.name), ...); }, records::Schema<Arrival>::fields);
    to.text.raw('\n');
    write_rows(to);
  }

 private:
  void write_rows(Writing& to) const {
    rows_.for_each([&](int64_t, std::string_view bytes) {
      bool first = true;
      for (size_t column = 0; column < kColumns; ++column) {
        uint32_t length = 0;
        std::memcpy(&length, bytes.data(), sizeof length);
        bytes.remove_prefix(sizeof length);
        if (used_[column] && !first) to.text.raw(',');
        if (used_[column]) first = false;
        if (length == kAbsent) continue;
        to.text.raw(bytes.substr(0, length));
        bytes.remove_prefix(length);
      }
      to.text.raw('\n');
      to.flush_if_full();
      return true;
    });
  }

  static constexpr uint32_t kAbsent = ~uint32_t{0};
  static constexpr size_t kColumns = std::tuple_size_v<decltype(records::Schema<Arrival>::fields)>;

  static void add_length(jsonl::Buffer& row, uint32_t length) {
    std::memcpy(row.reserve(sizeof length), &length, sizeof length);
    row.advance(sizeof length);
  }
  void add_cell(jsonl::Buffer& row, const std::string& value) {
    cell_.clear();
    if (!value.empty() && value.find_first_of(",\"\r\n") == value.npos && value.front() != ' ' &&
        value.back() != ' ') {
      cell_ = value;
    } else {
      cell_ += '"';
      for (const char c : value) cell_ += c == '"' ? std::string("\"\"") : std::string(1, c);
      cell_ += '"';
    }
    add_text(row);
  }
  void add_cell(jsonl::Buffer& row, const std::vector<uint64_t>& value) {
    cell_.clear();
    for (const uint64_t id : value) cell_ += (cell_.empty() ? "" : " ") + std::to_string(id);
    add_text(row);
  }
  template <std::integral T>
  void add_cell(jsonl::Buffer& row, T value) {
    cell_ = std::to_string(value);
    add_text(row);
  }
  void add_text(jsonl::Buffer& row) {
    add_length(row, static_cast<uint32_t>(cell_.size()));
    row.raw(cell_);
  }

  RowStore rows_;
  std::array<bool, kColumns> used_{};
  int64_t count_ = 0;
  std::string cell_;
};

constexpr std::array kFormats = {
    ExportFormat{"csv", "Table with a header and one column for every field that occurs."},
    ExportFormat{"gaps", "Gaps in seconds, one a line, nine decimals."},
    ExportFormat{"mooncake", "JSON Lines of Mooncake: milliseconds, lengths, prefix blocks."},
    ExportFormat{"azure-llm", "CSV of the Azure LLM inference traces: absolute times and token counts."},
};

std::unique_ptr<Exporter> make_exporter(std::string_view format, const ExportOptions& options) {
  if (format == "csv") return std::make_unique<Csv>(options);
  if (format == "gaps") return std::make_unique<Gaps>();
  if (format == "mooncake") return std::make_unique<Mooncake>();
  if (format == "azure-llm") return std::make_unique<AzureLlm>();
  std::string known;
  for (const ExportFormat& each : kFormats) known += (known.empty() ? "" : ", ") + std::string(each.name);
  throw usage_error("there is no export format \"{}\"; there are {}", format, known);
}

}  // namespace

std::span<const ExportFormat> export_formats() { return kFormats; }

uint64_t run_export(std::string_view format, records::Reader& in, Output out, const ExportOptions& options) {
  const std::unique_ptr<Exporter> exporter = make_exporter(format, options);
  Writing to{in, out, options};
  uint64_t count = 0;
  while (in.next()) {
    if (in.type() != records::Schema<Arrival>::type) {
      in.pass_over();
      continue;
    }
    exporter->row(in.as<Arrival>(), to);
    ++count;
    to.flush_if_full();
  }
  exporter->end(to);
  to.flush();
  out.close();
  return count;
}

}  // namespace mlq::arrival
