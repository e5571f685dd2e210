// csv: which columns there are is known only at the end, so rows wait, in memory or in a temporary file.
#include <array>
#include <tuple>
#include <vector>

#include "lib/arrival/export/format.h"
#include "lib/arrival/import/rows.h"
#include "lib/arrival/text/csv.h"

namespace mlq::arrival {
namespace {

constexpr const auto& kFields = records::Schema<records::Arrival>::fields;
constexpr size_t kCount = std::tuple_size_v<std::remove_cvref_t<decltype(kFields)>>;

template <std::integral T>
void append(jsonl::Buffer& out, T value) {
  out.integer(value);
}
void append(jsonl::Buffer& out, const std::string& text) { write_csv_field(out, text); }
void append(jsonl::Buffer& out, const std::vector<uint64_t>& numbers) {
  if (numbers.empty()) return out.raw("\"\"");
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) out.raw(' ');
    out.integer(numbers[i]);
  }
}

// A row while it waits: for each field that it has its place in the list, the length of its text, the text.
class CsvExporter final : public Exporter {
 public:
  explicit CsvExporter(const ExportOptions& options) : rows_(options.memory_bytes, options.temp_folder) {}

  void add(const records::Arrival& arrival, const std::string&, jsonl::Buffer&) override {
    jsonl::Buffer& row = rows_.begin();
    std::apply(
        [&]<class... F>(const F&...) {
          uint8_t place = 0;
          (put<F>(row, place++, arrival), ...);
        },
        kFields);
    rows_.commit(static_cast<int64_t>(rows_.size()));  // keeps the order of the stream
  }

  void end(jsonl::Buffer& out, const std::function<void()>& flush) override {
    rows_.finish();
    occurs_[0] = true;  // the time has a column even where there is no arrival
    write_header(out);
    rows_.for_each([&](int64_t, std::string_view row) {
      write_row(row, out);
      flush();
      return true;
    });
  }

 private:
  template <class F>
  void put(jsonl::Buffer& row, uint8_t place, const records::Arrival& arrival) {
    const auto& member = arrival.*F::member;
    if constexpr (F::required) {
      put_text(row, place, member);
    } else {
      if (member) put_text(row, place, *member);
    }
  }

  template <class T>
  void put_text(jsonl::Buffer& row, uint8_t place, const T& value) {
    occurs_[place] = true;
    row.raw(static_cast<char>(place));
    const size_t length_at = row.size();
    row.reserve(sizeof(uint32_t));
    row.advance(sizeof(uint32_t));
    append(row, value);
    const auto length = static_cast<uint32_t>(row.size() - length_at - sizeof(uint32_t));
    std::memcpy(row.data() + length_at, &length, sizeof length);
  }

  void write_header(jsonl::Buffer& out) const {
    std::apply(
        [&]<class... F>(const F&...) {
          size_t place = 0;
          bool first = true;
          const auto name = [&](std::string_view text) {
            if (!occurs_[place++]) return;
            if (!first) out.raw(',');
            first = false;
            out.raw(text);
          };
          (name(F::name), ...);
        },
        kFields);
    out.raw('\n');
  }

  void write_row(std::string_view row, jsonl::Buffer& out) const {
    for (size_t place = 0; place < kCount; ++place) {
      if (!occurs_[place]) continue;
      if (place > 0) out.raw(',');
      if (row.empty() || static_cast<size_t>(row.front()) != place) continue;
      uint32_t length;
      std::memcpy(&length, row.data() + 1, sizeof length);
      out.raw(row.substr(1 + sizeof length, length));
      row.remove_prefix(1 + sizeof length + length);
    }
    out.raw('\n');
  }

  RowStore rows_;
  std::array<bool, kCount> occurs_{};
};

}  // namespace

std::unique_ptr<Exporter> make_csv_exporter(const ExportOptions& options) {
  return std::make_unique<CsvExporter>(options);
}

}  // namespace mlq::arrival
