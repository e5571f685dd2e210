// Accounts of consecutive windows of a run, by due time or by index, kept by each sending thread and joined.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/replay/accounts.h"

namespace mlq::replay {

struct WindowOptions {
  // One of them is above 0. By due time: window k has due times in [k, k + 1) window_ns; by index: i in
  // [k, k + 1) window_n.
  int64_t window_ns = 0;
  uint64_t window_n = 0;
  // How long after its end a window waits for answers; without it, as long as the window itself.
  std::optional<int64_t> wait_ns;
};

// One window, all classes. A window without requests does not exist.
struct Window {
  uint32_t index = 0;
  // By due time, its bounds, the end of the last one no later than the end of the run; by index, from the
  // least due time in it to that of the next window, or to the end of the run.
  int64_t from_ns = 0;
  int64_t to_ns = 0;
  Accounts accounts;
  std::map<std::string, uint64_t, std::less<>> unfinished;  // by class and "*"; only what is above 0

  // Calls visit(klass, account, unfinished): "*" first, then every class that was due in the window.
  void for_each(const std::function<void(std::string_view, const Account&, uint64_t)>& visit) const;
  // Adds the same window of another thread.
  void merge(const Window& other);
};

// Windows that a thread has closed, in order, and what it knows of those to come.
struct ClosedWindows {
  std::vector<Window> windows;
  uint64_t closed_below = 0;  // the least index that a window to come may have; kNoMore after the last
  std::optional<int64_t>
      frontier_ns;  // the least due time of a request to come in them; absent after the last
};
constexpr uint64_t kNoMore = std::numeric_limits<uint64_t>::max();

// The windows of one sending thread. Not thread-safe. All times are from the start of the run. An open window
// costs what its accounts cost (8 bytes a value, at most 42 kB a metric and class).
class Windows {
 public:
  static constexpr size_t kMostOpen = 64;

  // A usage Error unless one of the lengths is above 0.
  explicit Windows(const WindowOptions& options);

  // A request is planned; `klass` is empty if it has none. Before its result, and in order: advance() must
  // not have ruled it out. A request of a window that was closed already is passed over. Beyond kMostOpen
  // open windows the oldest is closed, with unfinished > 0. An input Error beyond 2^32 windows.
  void due(uint64_t i, int64_t due_ns, std::string_view klass);
  // Its result, as for Account::add. One that comes after its window was closed is not counted.
  void add(const records::Result& result, std::span<const uint64_t> gaps);
  // No request that is due before `next_due_ns`, and none with a lower index, will come.
  void advance(int64_t next_due_ns, uint64_t next_i);
  // No request will come at all; the run ends at `to_ns` >= every due time.
  void end(int64_t to_ns);
  // Windows that are complete (all their requests came and have results), or whose requests all came and that
  // have waited long enough; in order: one behind an open one stays. `now_ns` INT64_MAX gives all that have
  // ended.
  ClosedWindows take(int64_t now_ns);

 private:
  struct Open {
    int64_t first_due_ns = 0;
    std::map<std::string, uint64_t, std::less<>> due;  // by class and "*"
    uint64_t outstanding = 0;
    Accounts accounts;
  };

  uint64_t index_of(uint64_t i, int64_t due_ns) const;
  bool has_passed(uint64_t index) const { return next_index_ > index; }
  int64_t end_of(uint64_t index) const;
  int64_t wait_of(uint64_t index, const Open& open) const;
  void close_oldest();

  WindowOptions options_;
  std::map<uint64_t, Open> open_;
  std::vector<Window> closed_;
  uint64_t floor_ = 0;       // windows below are closed
  uint64_t next_index_ = 0;  // the least window that requests to come may be in
  std::optional<int64_t> next_due_ns_;
  std::optional<int64_t> run_end_ns_;
};

// Joins the windows of several threads by index. Not thread-safe: the threads hand their windows to its
// owner.
class WindowMerger {
 public:
  explicit WindowMerger(size_t shards);

  // What `shard` has given since the last call; its calls in order.
  void add(size_t shard, ClosedWindows closed);
  // The windows that all shards have closed, in order.
  std::vector<Window> take();

 private:
  struct Shard {
    uint64_t closed_below = 0;
    std::optional<int64_t> frontier_ns;
  };
  std::vector<Shard> shards_;
  std::map<uint32_t, Window> pending_;
};

// The load_window records of a window: "*", then its classes.
std::vector<records::LoadWindow> window_records(const Window& window, std::span<const stats::SloTerm> slo);

}  // namespace mlq::replay
