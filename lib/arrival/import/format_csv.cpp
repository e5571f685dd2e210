// csv: any table with a column of times. counts: any table of times and counts.
#include <fmt/format.h>

#include "lib/arrival/import/columns.h"
#include "lib/arrival/import/format_table.h"
#include "lib/arrival/import/time.h"
#include "lib/arrival/text/decimal.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"

namespace mlq::arrival {
namespace {

// The place of a column that is named by its header or its number.
size_t place_of(const ImportSink& sink, CsvFields fields, bool has_header, const std::string& column) {
  if (has_header) {
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].text == column) return i;
    }
  }
  if (const auto number = parse_whole(column); number && *number >= 1 && *number <= fields.size())
    return *number - 1;
  std::string names;
  for (const CsvField& field : fields) names += fmt::format("{}\"{}\"", names.empty() ? "" : " ", field.text);
  throw usage_error("{}: there is no column \"{}\"; there are {}", sink.where(), column, names);
}

// What csv and counts share: a column of times, and whether there is a header.
class TimedTable : public TableParser {
 public:
  TimedTable(ImportSink& sink, const ImportOptions& options)
      : TableParser(sink, options.max_line_bytes), columns_(options.columns), time_(columns_) {}

  void end() override { sink().absolute = time_.absolute(); }

 protected:
  bool header(CsvFields fields) final {
    const bool has_header = is_header(fields);
    time_at_ = 0;
    if (!columns_.time_col.empty()) {
      time_at_ = place_of(sink(), fields, has_header, columns_.time_col);
    } else if (has_header) {
      for (size_t i = 1; i < fields.size(); ++i) {
        if (time_likeness(fields[i].text) > time_likeness(fields[time_at_].text)) time_at_ = i;
      }
    }
    if (has_header && is_t_ns(fields[time_at_].text)) {
      time_.reads_t_ns();
      sink().starts_at_0 = true;
    }
    columns_found(fields, has_header);
    return has_header;
  }

  // Called once a file, when the columns are known.
  virtual void columns_found(CsvFields fields, bool has_header) = 0;

  std::optional<int64_t> time_of(CsvFields fields) {
    return time_at_ < fields.size() ? time_.parse(fields[time_at_].text) : std::nullopt;
  }
  const ImportColumns& columns() const { return columns_; }
  size_t time_at() const { return time_at_; }

 private:
  // Unless it is said: if columns are asked for by name, or a column is called like a time, or the time is no
  // time.
  bool is_header(CsvFields fields) {
    if (columns_.header != HeaderLine::detect) return columns_.header == HeaderLine::yes;
    const std::string* const asked[] = {&columns_.time_col,  &columns_.input_col,        &columns_.output_col,
                                        &columns_.class_col, &columns_.conversation_col, &columns_.bytes_col,
                                        &columns_.value_col};
    for (const std::string* column : asked) {
      if (!column->empty() && !parse_whole(*column)) return true;
    }
    for (const CsvField& field : fields) {
      if (time_likeness(field.text) > 0) return true;
    }
    const auto number = parse_whole(columns_.time_col);
    const size_t at = number ? *number - 1 : 0;
    return at >= fields.size() || !TimeReader(columns_).parse(fields[at].text);
  }

  const ImportColumns& columns_;
  TimeReader time_;
  size_t time_at_ = 0;
};

class Csv final : public TimedTable {
 public:
  Csv(ImportSink& sink, const ImportOptions& options) : TimedTable(sink, options) {}

 protected:
  void columns_found(CsvFields fields, bool has_header) override {
    bindings_.clear();
    for (const NamedColumn& named : named_columns(columns())) {
      bindings_.push_back({place_of(sink(), fields, has_header, named.column), named.field});
    }
    const auto bound = [&](const ArrivalField* field) {
      return std::ranges::find(bindings_, field, &Binding::field) != bindings_.end();
    };
    const auto taken = [&](size_t column) {
      return column == time_at() || std::ranges::find(bindings_, column, &Binding::column) != bindings_.end();
    };
    for (size_t i = 0; has_header && i < fields.size(); ++i) {
      const ArrivalField* field = find_arrival_field(fields[i].text);
      if (field != nullptr && !taken(i) && !bound(field)) bindings_.push_back({i, field});
    }
  }

  const char* row(CsvFields fields) override {
    const auto time = time_of(fields);
    if (!time) return "the time is not in the form that was asked for";
    marks_ = {};
    for (const Binding& binding : bindings_) {
      if (binding.column >= fields.size()) continue;
      const CsvField& field = fields[binding.column];
      if (!binding.field->from_text(field, marks_)) return "a field is not the number that it should be";
      if (binding.field->holds_text) sink().count_bad_bytes_of(field.text);
    }
    sink().arrival(*time, marks_);
    return nullptr;
  }

 private:
  struct Binding {
    size_t column;
    const ArrivalField* field;
  };
  std::vector<Binding> bindings_;
  records::Arrival marks_;
};

class Counts final : public TimedTable {
 public:
  Counts(ImportSink& sink, const ImportOptions& options)
      : TimedTable(sink, options), bin_ns_(options.bin_ns) {}

  void end() override {
    TimedTable::end();
    std::vector<BinRow>& bins = sink().bins();
    if (bins.empty()) return;
    if (!bin_ns_) bin_ns_ = median_distance(bins);
    for (BinRow& bin : bins) bin.dt_ns = *bin_ns_;
  }

 protected:
  void columns_found(CsvFields fields, bool has_header) override {
    const std::string& asked = columns().value_col;
    value_at_ = asked.empty() ? 1 : place_of(sink(), fields, has_header, asked);
  }

  const char* row(CsvFields fields) override {
    const auto time = time_of(fields);
    if (!time) return "the time is not in the form that was asked for";
    if (value_at_ >= fields.size()) return "the column of counts is missing";
    const auto value = value_of(fields[value_at_].text);
    if (!value) return "the count is not a number >= 0";
    sink().bin(*time, 1, *value);
    return nullptr;
  }

 private:
  std::optional<double> value_of(std::string_view text) const {
    if (columns().value_transform == ValueTransform::none) return parse_count_value(text);
    const bool negative = text.starts_with('-');  // logarithms of less than 1
    const auto magnitude = parse_count_value(text.substr(negative ? 1 : 0));
    if (!magnitude || *magnitude > 700) return std::nullopt;
    return fmath::exp(negative ? -*magnitude : *magnitude);
  }

  int64_t median_distance(const std::vector<BinRow>& bins) {
    std::vector<int64_t> times;
    for (const BinRow& bin : bins) times.push_back(bin.t_ns);
    std::sort(times.begin(), times.end());
    std::vector<int64_t> distances;
    for (size_t i = 1; i < times.size(); ++i) {
      int64_t distance = 0;
      if (!__builtin_sub_overflow(times[i], times[i - 1], &distance) && distance > 0)
        distances.push_back(distance);
    }
    if (distances.empty())
      throw usage_error("{}: one time only does not say how long a bin is; give --bin", sink().file());
    const auto middle = distances.begin() + static_cast<ptrdiff_t>(distances.size() / 2);
    std::nth_element(distances.begin(), middle, distances.end());
    return *middle;
  }
  std::optional<int64_t> bin_ns_;
  size_t value_at_ = 1;
};

}  // namespace

std::unique_ptr<FormatParser> make_csv(ImportSink& sink, const ImportOptions& options) {
  return std::make_unique<Csv>(sink, options);
}

std::unique_ptr<FormatParser> make_counts(ImportSink& sink, const ImportOptions& options) {
  return std::make_unique<Counts>(sink, options);
}

}  // namespace mlq::arrival
