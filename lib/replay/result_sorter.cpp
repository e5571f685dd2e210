#include "lib/replay/result_sorter.h"

#include <algorithm>
#include <cstring>

#include "lib/records/codec.h"
#include "lib/records/load_schema.h"

namespace mlq::replay {

// A row is the index, 8 bytes, and the line.
void ResultSorter::add(const records::Result& result) {
  jsonl::Buffer& row = rows_.begin();
  std::memcpy(row.reserve(sizeof result.i), &result.i, sizeof result.i);
  row.advance(sizeof result.i);
  records::write_record(row, result);
  rows_.commit(result.due_ns);
}

void ResultSorter::finish(const std::function<bool(std::string_view)>& visit) {
  rows_.finish();
  std::vector<std::pair<uint64_t, std::string>> together;
  int64_t due_ns = 0;
  const auto flush = [&] {
    std::stable_sort(together.begin(), together.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    const bool more =
        std::all_of(together.begin(), together.end(), [&](const auto& entry) { return visit(entry.second); });
    together.clear();
    return more;
  };
  bool more = true;
  rows_.for_each([&](int64_t time, std::string_view row) {
    if (time != due_ns) more = flush();
    due_ns = time;
    uint64_t i = 0;
    std::memcpy(&i, row.data(), sizeof i);
    if (more) together.emplace_back(i, row.substr(sizeof i));
    return more;
  });
  if (more) flush();
}

}  // namespace mlq::replay
