#include "lib/arrival/export/export.h"

#include <array>

#include "lib/arrival/export/format.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

constexpr size_t kFlushAt = size_t{256} << 10;

struct Entry {
  ExportFormat info;
  std::unique_ptr<Exporter> (*make)(const ExportOptions& options);
};

constexpr Entry kFormats[] = {
    {{"csv", "A header and a column for every field that occurs."}, make_csv_exporter},
    {{"gaps", "Gaps in seconds, one a line."}, make_gaps_exporter},
    {{"mooncake", "JSON Lines of timestamp (ms), input_length, output_length, hash_ids."},
     make_mooncake_exporter},
    {{"azure-llm", "TIMESTAMP,ContextTokens,GeneratedTokens, as in the Azure LLM inference traces."},
     make_azure_llm_exporter},
};

constexpr auto kInfos = [] {
  std::array<ExportFormat, std::size(kFormats)> infos{};
  for (size_t i = 0; i < infos.size(); ++i) infos[i] = kFormats[i].info;
  return infos;
}();

std::unique_ptr<Exporter> make_exporter(std::string_view name, const ExportOptions& options) {
  std::string names;
  for (const Entry& entry : kFormats) {
    if (entry.info.name == name) return entry.make(options);
    names += fmt::format(" {}", entry.info.name);
  }
  throw usage_error("unknown format \"{}\"; there are{}", name, names);
}

}  // namespace

std::span<const ExportFormat> export_formats() { return kInfos; }

uint64_t run_export(std::string_view format, records::Reader& in, Output out, const ExportOptions& options) {
  const auto exporter = make_exporter(format, options);
  jsonl::Buffer text;
  uint64_t count = 0;
  bool begun = false;
  const auto flush = [&] {
    if (text.size() < kFlushAt) return;
    out.write(text.view());
    text.clear();
  };
  const auto begin = [&] {
    exporter->begin(in.runs().empty() ? nullptr : &in.runs().back(), text);
    begun = true;
  };
  while (in.next()) {
    if (in.type() != records::Schema<records::Arrival>::type) {
      in.pass_over();
      continue;
    }
    if (!begun) begin();
    exporter->add(in.as<records::Arrival>(), in.where(), text);
    ++count;
    flush();
  }
  if (!begun) begin();
  exporter->end(text, flush);
  out.write(text.view());
  // What a signal cut short does not take the place of a whole file.
  if (!in.interrupted() || !out.replaces_file()) out.close();
  return count;
}

}  // namespace mlq::arrival
