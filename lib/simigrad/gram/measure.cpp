#include "lib/simigrad/gram/measure.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "lib/base/error.h"
#include "lib/simigrad/gram/block_sums.h"
#include "lib/simigrad/gram/sum_tree.h"

namespace mlq::simigrad {
namespace {

using kernels::gram_sums;
using kernels::kGramBlock;
using kernels::NonFinite;

constexpr uint64_t kDeviceWindow = uint64_t{4} << 20;  // bytes of a group; a copy that buses like
constexpr unsigned kDirectThreads = 2;                 // at least, so that one reads while another computes
constexpr uint64_t kAhead = 4;                         // windows a thread that may be done before their turn

// What one window makes.
struct Block {
  size_t leaf = 0;
  uint64_t first = 0;
  std::vector<double> sums;  // of each of its blocks
  std::vector<NonFinite> nonfinite;
};

// Windows in order, given out one by one.
class Windows {
 public:
  Windows(const Step& step, uint64_t window_bytes) : step_(step), window_bytes_(window_bytes) {}

  std::optional<ElementRange> next() {
    while (leaf_ < step_.leaves.size()) {
      const Leaf& leaf = step_.leaves[leaf_];
      if (first_ >= leaf.elems && !(leaf.elems == 0 && first_ == 0)) {
        ++leaf_;
        first_ = 0;
        continue;
      }
      const uint64_t blocks = std::max<uint64_t>(1, window_bytes_ / (kGramBlock * size_of(leaf.type)));
      const ElementRange window{leaf_, first_, std::min(blocks * kGramBlock, leaf.elems - first_)};
      first_ += std::max<uint64_t>(window.elems, 1);
      return window;
    }
    return std::nullopt;
  }

 private:
  const Step& step_;
  uint64_t window_bytes_;
  size_t leaf_ = 0;
  uint64_t first_ = 0;
};

// Folds what windows make, in their order.
class Folder {
 public:
  Folder(const Step& step, const EachTensor& each)
      : step_(step),
        each_(each),
        width_(gram_sums(step.groups())),
        all_(width_),
        tensor_(width_),
        leaf_(width_) {
    measured_.nonfinite.resize(step.groups());
    of_tensor_ = measured_;
  }

  void add(const Block& made) {
    for (size_t at = 0; at < made.sums.size(); at += width_) leaf_.add({made.sums.data() + at, width_});
    for (size_t group = 0; group < made.nonfinite.size(); ++group) note(group, made);
    const Leaf& leaf = step_.leaves[made.leaf];
    const uint64_t blocks = kernels::gram_blocks(leaf.elems);
    if (leaf_.count() == blocks) end_leaf(made.leaf);
  }

  Measured total() {
    measured_.sums = all_.total();
    return std::move(measured_);
  }

 private:
  void note(size_t group, const Block& made) {
    const NonFinite& found = made.nonfinite[group];
    if (found.count == 0) return;
    for (Measured* to : {&measured_, &of_tensor_}) {
      NonFiniteElements& known = to->nonfinite[group];
      if (known.count == 0) {
        known.tensor = step_.leaves[made.leaf].name;
        known.index = made.first + found.first;
      }
      known.count += found.count;
    }
  }

  // A part is a leaf of the tree, whatever its size.
  void end_leaf(size_t leaf) {
    const std::vector<double> sums = leaf_.total();
    leaf_ = SumTree(width_);
    all_.add(sums);
    tensor_.add(sums);
    const bool last =
        leaf + 1 == step_.leaves.size() || step_.leaves[leaf + 1].name != step_.leaves[leaf].name;
    if (!last) return;
    if (each_) {
      of_tensor_.sums = tensor_.total();
      const size_t parts = tensor_.count();
      each_(step_.leaves[leaf].name, {step_.leaves.data() + leaf + 1 - parts, parts}, of_tensor_);
    }
    tensor_ = SumTree(width_);
    of_tensor_ = Measured{{}, std::vector<NonFiniteElements>(step_.groups())};
  }

  const Step& step_;
  const EachTensor& each_;
  size_t width_;
  SumTree all_, tensor_, leaf_;
  Measured measured_, of_tensor_;
};

// Threads that take windows in order, work on them side by side and fold what they made in order again.
class Run {
 public:
  Run(const Step& step, const MeasureOptions& options, const EachTensor& each)
      : step_(step), options_(options), reader_(step, options.io), folder_(step, each) {
    const uint64_t least = kGramBlock * widest();
    threads_ = std::max(options.threads, reader_.direct() ? kDirectThreads : 1U);
    const auto for_one = [&](uint64_t window) { return step.groups() * WindowReader::buffer_bytes(window); };
    if (for_one(least) > options.memory_bytes)
      throw usage_error("--memory: {} groups need {} bytes at least", step.groups(), for_one(least));
    threads_ = static_cast<unsigned>(std::min<uint64_t>(threads_, options.memory_bytes / for_one(least)));
    window_bytes_ = options.device ? kDeviceWindow : reader_.request_bytes();
    while (window_bytes_ > least && threads_ * for_one(window_bytes_) > options.memory_bytes)
      window_bytes_ /= 2;
    window_bytes_ = std::max(window_bytes_, least);
    windows_.emplace(step, window_bytes_);
  }

  std::optional<Measured> run() {
    {
      std::vector<std::jthread> others;
      for (unsigned i = 1; i < threads_; ++i) others.emplace_back([this] { work(); });
      work();
    }
    if (failure_) std::rethrow_exception(failure_);
    if (stopped_) return std::nullopt;
    for (const tensorfile::Source& source : step_.sources) source.check_unchanged();
    return folder_.total();
  }

 private:
  uint64_t widest() const {
    size_t width = 1;
    for (const Leaf& leaf : step_.leaves) width = std::max(width, size_of(leaf.type));
    return width;
  }

  struct Turn {
    uint64_t number;
    ElementRange window;
  };

  // Waits where too many windows are done before their turn. Nothing at the end.
  std::optional<Turn> take() {
    std::unique_lock lock(mutex_);
    if (options_.stop != nullptr && *options_.stop) stopped_ = true;
    changed_.wait(lock, [&] { return ended() || given_ < folded_ + kAhead * threads_; });
    if (ended()) return std::nullopt;
    const auto window = windows_->next();
    if (!window) return std::nullopt;
    return Turn{given_++, *window};
  }

  bool ended() const { return failure_ || stopped_; }

  void put(uint64_t number, Block made) {
    const std::lock_guard lock(mutex_);
    done_.emplace(number, std::move(made));
    for (auto at = done_.begin(); at != done_.end() && at->first == folded_; at = done_.erase(at), ++folded_)
      folder_.add(at->second);
    changed_.notify_all();
  }

  void work() {
    try {
      WindowBuffer buffer(step_.groups(), WindowReader::buffer_bytes(window_bytes_));
      const auto sums = options_.device ? device_block_sums(*options_.device, step_.groups(), window_bytes_)
                                        : cpu_block_sums();
      while (const auto turn = take()) put(turn->number, made_of(turn->window, buffer, *sums));
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      changed_.notify_all();
    }
  }

  Block made_of(const ElementRange& window, WindowBuffer& buffer, BlockSums& sums) {
    const Leaf& leaf = step_.leaves[window.leaf];
    kernels::GramGroups groups;
    groups.type = leaf.type;
    groups.count = step_.groups();
    for (unsigned i = 0; i < groups.count; ++i) groups.samples[i] = static_cast<double>(step_.samples[i]);
    groups.per_batch = 1.0 / static_cast<double>(step_.batch_samples());
    Block made{window.leaf, window.first, {}, std::vector<NonFinite>(groups.count)};
    made.sums.resize(kernels::gram_blocks(window.elems) * gram_sums(groups.count));
    if (window.elems == 0) return made;
    reader_.read(window, buffer, groups.data);
    sums.add(groups, window.elems, made.sums.data(), made.nonfinite.data());
    reader_.check(window);
    if (options_.progress) options_.progress(window.elems * size_of(leaf.type) * groups.count);
    return made;
  }

  const Step& step_;
  const MeasureOptions& options_;
  WindowReader reader_;
  Folder folder_;
  unsigned threads_ = 1;
  uint64_t window_bytes_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Windows> windows_;
  std::map<uint64_t, Block> done_;  // windows whose turn has not come
  uint64_t given_ = 0, folded_ = 0;
  std::exception_ptr failure_;
  bool stopped_ = false;
};

}  // namespace

uint64_t Measured::nonfinite_count() const {
  uint64_t sum = 0;
  for (const NonFiniteElements& group : nonfinite) sum += group.count;
  return sum;
}

std::optional<Measured> measure(const Step& step, const MeasureOptions& options, const EachTensor& each) {
  return Run(step, options, each).run();
}

}  // namespace mlq::simigrad
