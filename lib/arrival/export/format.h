// What a format of export is made of.
#pragma once

#include <memory>
#include <string>

#include "lib/arrival/export/export.h"
#include "lib/jsonl/buffer.h"
#include "lib/records/arrival.h"
#include "lib/records/stream.h"

namespace mlq::arrival {

// Writes one format. The text goes to `out`, which the caller empties.
class Exporter {
 public:
  virtual ~Exporter() = default;
  // Before the first arrival; `run` is the newest run record of the stream, null without one.
  virtual void begin(const records::Run*, jsonl::Buffer&) {}
  // Input Error, beginning with `where`, if the format cannot hold the arrival.
  virtual void add(const records::Arrival& arrival, const std::string& where, jsonl::Buffer& out) = 0;
  // What is left to be written after the last arrival; `flush` empties `out` when it has grown.
  virtual void end(jsonl::Buffer& /*out*/, const std::function<void()>& /*flush*/) {}
};

std::unique_ptr<Exporter> make_csv_exporter(const ExportOptions& options);
std::unique_ptr<Exporter> make_gaps_exporter(const ExportOptions& options);
std::unique_ptr<Exporter> make_mooncake_exporter(const ExportOptions& options);
std::unique_ptr<Exporter> make_azure_llm_exporter(const ExportOptions& options);

}  // namespace mlq::arrival
