// Where a text stops being JSON, for files that people write by hand.
#pragma once

#include <string>
#include <string_view>

namespace mlq::jsonl {

// " at line 3, character 14", both from 1 and in bytes; or that it ends too early. Empty where nothing is
// amiss but what only a strict look at numbers and letters finds.
std::string damage_place(std::string_view text);

}  // namespace mlq::jsonl
