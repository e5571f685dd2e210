// gaps, mooncake and azure-llm.
#include <fmt/format.h>

#include "lib/arrival/export/format.h"
#include "lib/arrival/text/civil_time.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

void notice(const ExportOptions& options, const std::string& text) {
  if (options.notice) options.notice(text);
}

// Tells once that the format's clock is coarser than the trace's.
class Coarse {
 public:
  Coarse(const ExportOptions& options, int64_t step_ns, const char* step)
      : options_(options), step_ns_(step_ns), step_(step) {}
  void look_at(int64_t t_ns) {
    if (told_ || t_ns % step_ns_ == 0) return;
    told_ = true;
    notice(options_, fmt::format("times are cut to {}, the step of the format", step_));
  }

 private:
  const ExportOptions& options_;
  int64_t step_ns_;
  const char* step_;
  bool told_ = false;
};

void need_lengths(const records::Arrival& arrival, const std::string& where) {
  if (!arrival.input_tokens || !arrival.output_tokens) {
    throw input_error("{}: the arrival lacks input_tokens or output_tokens, which the format needs", where);
  }
}

class GapsExporter final : public Exporter {
 public:
  void add(const records::Arrival& arrival, const std::string& where, jsonl::Buffer& out) override {
    const int64_t gap = arrival.t_ns - last_;
    if (arrival.t_ns < last_) throw input_error("{}: t_ns is less than before; sort the trace first", where);
    last_ = arrival.t_ns;
    char text[32];
    const auto end = fmt::format_to(text, "{}.{:09}\n", gap / kNsPerSecond, gap % kNsPerSecond);
    out.raw({text, static_cast<size_t>(end - text)});
  }

 private:
  int64_t last_ = 0;
};

class MooncakeExporter final : public Exporter {
 public:
  explicit MooncakeExporter(const ExportOptions& options)
      : options_(options), coarse_(options, kNsPerMs, "1 ms") {}

  void begin(const records::Run* run, jsonl::Buffer&) override {
    if (run == nullptr || !run->prefix_block_tokens || *run->prefix_block_tokens == kBlockTokens) return;
    notice(options_, fmt::format("prefix blocks have {} tokens here and {} in the format",
                                 *run->prefix_block_tokens, kBlockTokens));
  }

  void add(const records::Arrival& arrival, const std::string& where, jsonl::Buffer& out) override {
    need_lengths(arrival, where);
    coarse_.look_at(arrival.t_ns);
    out.raw("{\"timestamp\": ");
    out.integer(arrival.t_ns / kNsPerMs);
    out.raw(", \"input_length\": ");
    out.integer(*arrival.input_tokens);
    out.raw(", \"output_length\": ");
    out.integer(*arrival.output_tokens);
    out.raw(", \"hash_ids\": [");
    bool first = true;
    if (arrival.prefix_ids) {
      for (const uint64_t id : *arrival.prefix_ids) {
        if (!first) out.raw(", ");
        out.integer(id);
        first = false;
      }
    }
    out.raw("]}\n");
  }

 private:
  static constexpr int64_t kNsPerMs = 1'000'000;
  static constexpr uint32_t kBlockTokens = 512;
  const ExportOptions& options_;
  Coarse coarse_;
};

// The line ends stand between the lines.
class AzureLlmExporter final : public Exporter {
 public:
  explicit AzureLlmExporter(const ExportOptions& options)
      : options_(options), coarse_(options, 100, "100 ns") {}

  void begin(const records::Run* run, jsonl::Buffer& out) override {
    if (options_.epoch_unix_ns) {
      epoch_ = *options_.epoch_unix_ns;
    } else if (run != nullptr && run->epoch_unix_ns) {
      epoch_ = *run->epoch_unix_ns;
    } else {
      notice(options_, "the trace does not say when it began; times count from 1970-01-01 (--origin)");
    }
    out.raw("TIMESTAMP,ContextTokens,GeneratedTokens");
  }

  void add(const records::Arrival& arrival, const std::string& where, jsonl::Buffer& out) override {
    need_lengths(arrival, where);
    int64_t t_ns = 0;
    if (__builtin_add_overflow(epoch_, arrival.t_ns, &t_ns))
      throw input_error("{}: the time is past the range", where);
    coarse_.look_at(t_ns);
    text_ = "\r\n";
    format_utc(t_ns, 7, text_);
    out.raw(text_);
    out.raw(',');
    out.integer(*arrival.input_tokens);
    out.raw(',');
    out.integer(*arrival.output_tokens);
  }

 private:
  const ExportOptions& options_;
  Coarse coarse_;
  int64_t epoch_ = 0;
  std::string text_;
};

}  // namespace

std::unique_ptr<Exporter> make_gaps_exporter(const ExportOptions&) {
  return std::make_unique<GapsExporter>();
}

std::unique_ptr<Exporter> make_mooncake_exporter(const ExportOptions& options) {
  return std::make_unique<MooncakeExporter>(options);
}

std::unique_ptr<Exporter> make_azure_llm_exporter(const ExportOptions& options) {
  return std::make_unique<AzureLlmExporter>(options);
}

}  // namespace mlq::arrival
