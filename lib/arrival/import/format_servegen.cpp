// servegen: no header, `start (s), rate (1/s), cv, Gamma|Weibull|, shape, scale`, a row a window, a file a
// client. The shape and the law describe the gaps inside a window; bins keep what is common to all: how many
// requests came.
#include <fmt/format.h>

#include <filesystem>

#include "lib/arrival/import/format_table.h"
#include "lib/arrival/text/decimal.h"

namespace mlq::arrival {
namespace {

constexpr int64_t kWindowNs = 600'000'000'000;

class ServeGen final : public TableParser {
 public:
  ServeGen(ImportSink& sink, const ImportOptions& options)
      : TableParser(sink, options.max_line_bytes), window_ns_(options.bin_ns.value_or(kWindowNs)) {
    sink.starts_at_0 = true;
  }

  // chunk-7-trace.csv is client chunk-7.
  void begin_file() override {
    TableParser::begin_file();
    std::string client = std::filesystem::path(sink().file()).stem().string();
    if (client.ends_with("-trace")) client.resize(client.size() - std::string_view("-trace").size());
    klass_ = sink().class_index(client);
  }

  void end() override {
    sink().notice(fmt::format("{} of {}: {} Gamma, {} Weibull, {} idle",
                              format_count(gamma_ + weibull_ + idle_, "window"),
                              format_count(sink().classes().size(), "client"), gamma_, weibull_, idle_));
  }

 protected:
  bool header(CsvFields) override { return false; }

  const char* row(CsvFields fields) override {
    if (fields.size() != 6) return "there are not six fields";
    const auto start = parse_decimal64(fields[0].text, 9);
    const auto rate = parse_count_value(fields[1].text);
    if (!start || *start < 0) return "the start of the window is not a number of seconds";
    if (!rate || *rate > 1e300) return "the rate is not a number";
    const std::string_view law = fields[3].text;
    if (law == "Gamma") {
      ++gamma_;
    } else if (law == "Weibull") {
      ++weibull_;
    } else if (law.empty() && *rate == 0) {
      ++idle_;
    } else {
      return "the law is neither Gamma nor Weibull";
    }
    sink().bin(*start, window_ns_, *rate * (static_cast<double>(window_ns_) / 1e9), klass_);
    return nullptr;
  }

 private:
  int64_t window_ns_;
  uint32_t klass_ = 0;
  uint64_t gamma_ = 0;
  uint64_t weibull_ = 0;
  uint64_t idle_ = 0;
};

}  // namespace

std::unique_ptr<FormatParser> make_servegen(ImportSink& sink, const ImportOptions& options) {
  return std::make_unique<ServeGen>(sink, options);
}

}  // namespace mlq::arrival
