// Results in the order (due_ns, i), in bounded memory.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/arrival/import/rows.h"
#include "lib/records/load.h"

namespace mlq::replay {

// Filled, then read once. Holds at most about `memory_bytes`; beyond, sorted runs go to a temporary file in
// `temp_folder`. Results that are due at the very same time are held together beside that. Not thread-safe.
class ResultSorter {
 public:
  ResultSorter(uint64_t memory_bytes, std::string temp_folder)
      : rows_(memory_bytes, std::move(temp_folder)) {}

  void add(const records::Result& result);
  uint64_t size() const { return rows_.size(); }
  // Calls visit(line) for each, a line of JSON with its line end; until it returns false.
  void finish(const std::function<bool(std::string_view)>& visit);

 private:
  arrival::RowStore rows_;
};

}  // namespace mlq::replay
