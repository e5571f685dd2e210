// The numbers of a tensor's JSON text, 64 bytes at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lib/serve/protocol/tensor_text.h"

namespace mlq::serve {

// As scan_tensor_text in the strict rules, for numbers (or integers) only. True: the text is good, and `out`
// and `commas` are as the definition says. False: it is not, or is of a kind that only the definition judges
// (empty arrays, a ragged text, a machine without AVX2); then they hold nothing of use.
//
// The method is that of Langdale and Lemire ("Parsing gigabytes of JSON per second", VLDB Journal 28, 2019):
// one bit a byte and a class, grammar as arithmetic on these words. Here the words also hold the grammar of
// numbers, which that parser leaves to a second stage.
bool scan_numbers(std::string_view text, const Shape& shape, bool integers, std::span<const uint64_t> cuts,
                  TensorText& out, std::vector<size_t>& commas);

}  // namespace mlq::serve
