// The records of one run, or of one shard of it, read as they come: results one by one, windows one by one,
// the rest at the end.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/load.h"
#include "lib/records/reader.h"
#include "lib/replay/summary.h"
#include "lib/replay/totals.h"

namespace mlq::replay {

// A window as its records say it.
struct WindowRecords {
  uint32_t index = 0;
  std::vector<records::LoadWindow> records;
  AccountsReader accounts;  // complete if the run was sharded

  // The window put together again; an input Error if its records contradict each other.
  Window window();
};

// Not thread-safe; movable. Errors: input Errors that name the stream and the line.
class RunStream {
 public:
  using OnResult = std::function<void(records::Result&)>;

  // Reads as far as the first record behind `run`.
  RunStream(const std::string& path, const records::ReaderOptions& options);

  // Reads on, past results, to the end of the next window. False at the end of the stream. Windows ascend.
  bool next_window(WindowRecords& window, const OnResult& on_result);
  // The window behind, if its first record has been read.
  const WindowRecords* ahead() const { return ahead_ ? &*ahead_ : nullptr; }

  // The run record; a default one if there is none.
  const records::Run& run() const;
  bool has_run() const { return !reader_.runs().empty(); }
  const records::Reader& reader() const { return reader_; }

  // After the end.
  bool has_totals() const { return !summaries_.empty(); }
  // An input Error if they are not there, or contradict each other.
  Accounts totals();
  // By class, as they came.
  const std::vector<records::Summary>& summaries() const { return summaries_; }
  const records::Summary* summary(std::string_view klass = kAll) const;

 private:
  template <class T>
  void take(const T& record, const std::optional<uint32_t>& window);
  WindowRecords& window_at(uint32_t index);
  void take_record(const OnResult& on_result);

  records::Reader reader_;
  bool pending_ = false;  // a record has been read and not taken
  std::optional<WindowRecords> current_, ahead_;
  std::optional<uint32_t> given_;
  AccountsReader totals_;
  std::vector<records::Summary> summaries_;
};

// `read` with the stream's name in front of input Errors that do not name it.
template <class Read>
auto naming(const std::string& name, Read&& read) {
  try {
    return read();
  } catch (const Error& e) {
    if (e.kind() != ExitKind::input || std::string_view(e.what()).starts_with(name)) throw;
    throw input_error("{}: {}", name, e.what());
  }
}

}  // namespace mlq::replay
