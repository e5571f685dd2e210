// What a search found, in the words of those that start servers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/records/tune.h"

namespace mlq::tune {

enum class ExportFormat : uint8_t {
  json,        // {"LEVEL":{KNOB:VALUE,..},..}; of one chosen level its configuration alone
  env,         // KNOB=VALUE lines in capitals, values quoted as in a shell where they must be
  argv,        // --KNOB=VALUE, an argument a line
  pbtxt,       // fields of Triton's config.pbtxt
  vllm_flags,  // --max-num-seqs=64, an argument a line; true and false are --KNOB and --no-KNOB
  table,       // for people: a row a level
};
// Format, its word on the command line, and one sentence. Any thread.
struct ExportFormatInfo {
  ExportFormat format;
  std::string_view name;
  std::string_view text;
};
const std::vector<ExportFormatInfo>& export_formats();

struct ExportOptions {
  ExportFormat format = ExportFormat::json;
  std::string level;         // only that one; empty: all that there are
  bool unconfirmed = false;  // also policies that were not confirmed
};

// The text, which ends with a line feed. Of several policies of a level the last counts. Pure. Errors: exit 1
// (answer_no) if there is no policy that may be exported; usage for a level that is not known, and for
// several levels in a format that holds one configuration; input for a configuration that cannot be written
// so.
std::string export_text(std::span<const records::Policy> policies, const ExportOptions& options);

}  // namespace mlq::tune
