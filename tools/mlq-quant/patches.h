// What the commands about patches have in common.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/patch/diff.h"
#include "lib/patch/patch_file.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {

// What diff and squash are told of the patch that they make.
struct PatchArguments {
  std::string out, records, codec = "auto";
  patch::DiffOptions options;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};
cli::Option codec_option(std::string& codec);
// None for `auto`.
std::optional<patch::PieceCodec> parse_codec(const std::string& name);
std::vector<cli::Option> patch_options(PatchArguments& arguments);

// A usage Error if there is no -o, or it is no name of a file.
void check_patch_output(const PatchArguments& arguments);
// The files, opened. A usage Error if one of them is `out`.
std::vector<patch::PatchFile> open_patches(const cli::Context& context, const std::vector<std::string>& paths,
                                           const std::string& out);
std::vector<const patch::PatchFile*> pointers(const std::vector<patch::PatchFile>& patches);

records::TensorDelta record_of(const patch::TensorDiff& tensor);
// Says what a patch is for and what it does to each tensor, by its headers alone.
void describe(const patch::PatchFile& patch, RecordStream& stream);
// Makes the patch and says what it is, with records and, if wanted, a summary.
ExitKind make_patch(const patch::Model& base, const patch::Model& next, PatchArguments& arguments,
                    RecordStream& stream, cli::Context& context, std::chrono::steady_clock::time_point begin);

}  // namespace mlq::tools
