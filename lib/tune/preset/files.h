// The text of every preset; see preset.h.
#pragma once

#include <string_view>

namespace mlq::tune::preset_files {

// Set over HTTP or in files that a server reads while it runs.
extern const std::string_view mlq, triton, torchserve, ovms, ray, mlserver;
// Set where the server starts.
extern const std::string_view tfs, vllm, sglang, mosec, llamacpp, exec;

}  // namespace mlq::tune::preset_files
