#include "lib/arrival/process/generate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

using records::Arrival;

// The text of a record up to its first value, so that the commonest line is two copies and a number.
std::string line_start() {
  jsonl::Buffer line;
  records::write_record(line, Arrival{});
  return std::string(line.view().substr(0, line.size() - 3));  // without `0}` and the line feed
}

// Eight digits with their leading zeros, all at once in the lanes of a word.
char* write_eight_digits(char* at, uint32_t number) {
  static_assert(std::endian::native == std::endian::little);
  const uint64_t fours = (number / 10000) | (uint64_t{number % 10000} << 32);
  const uint64_t hundreds = ((fours * 5243) >> 19) & 0x0000007F0000007Fu;
  const uint64_t twos = hundreds | ((fours - hundreds * 100) << 16);
  const uint64_t tens = ((twos * 103) >> 10) & 0x000F000F000F000Fu;
  const uint64_t digits = (tens | ((twos - tens * 10) << 8)) + 0x3030303030303030u;
  std::memcpy(at, &digits, sizeof digits);
  return at + sizeof digits;
}

// Turns a block's times into lines. Immutable; used by all workers at once.
class Renderer {
 public:
  Renderer(const Process& process, const GenerateOptions& options)
      : process_(process),
        shard_(options.shard),
        shards_(options.shards),
        line_start_(line_start()),
        drops_(std::any_of(process.marks.begin(), process.marks.end(),
                           [](const Marks& m) { return m.may_drop(); })),
        plain_(options.shards == 1 && process.episode == 0 &&
               std::all_of(process.marks.begin(), process.marks.end(),
                           [](const Marks& m) { return m.empty(); })) {}

  void operator()(Block& block) const {
    block.text.clear();
    block.lines = 0;
    block.last_t_ns = block.times.empty() ? 0 : block.times.back();
    if (plain_ && block.segments.empty()) {
      plain_lines(block);
    } else {
      full_lines(block);
    }
  }

 private:
  // Neighbours share all but their last eight digits, so the text before those is made once for many lines.
  void plain_lines(Block& block) const {
    constexpr uint64_t kTail = 100'000'000;
    std::array<char, 64> head{};
    std::memcpy(head.data(), line_start_.data(), line_start_.size());
    size_t head_size = 0;
    uint64_t head_number = 0;
    char* at = block.text.reserve(block.times.size() * (line_start_.size() + 24) + head.size());
    char* const first = at;
    for (const int64_t t : block.times) {
      const auto number = static_cast<uint64_t>(t);
      if (number < kTail) {
        std::memcpy(at, line_start_.data(), line_start_.size());
        at += line_start_.size();
        at = std::to_chars(at, at + 20, number).ptr;
      } else {
        if (number / kTail != head_number) {
          head_number = number / kTail;
          char* const digits = head.data() + line_start_.size();
          head_size = static_cast<size_t>(std::to_chars(digits, digits + 12, head_number).ptr - head.data());
        }
        std::memcpy(at, head.data(), head.size());  // a fixed size is quicker than the exact one
        at = write_eight_digits(at + head_size, static_cast<uint32_t>(number - head_number * kTail));
      }
      *at++ = '}';
      *at++ = '\n';
    }
    block.text.advance(static_cast<size_t>(at - first));
    block.lines = block.times.size();
  }

  void full_lines(Block& block) const {
    const uint64_t skip = (shard_ + shards_ - block.first_i % shards_) % shards_;
    Arrival arrival;
    for (uint64_t k = skip; k < block.times.size(); k += shards_) {
      const uint64_t i = block.first_i + k;
      if (!block.sources.empty()) arrival = Arrival();  // the marks of another source may be left
      arrival.t_ns = block.times[k];
      // Without its own index, a line's index is its place; so it is said where the two may differ.
      if (shards_ > 1 || drops_) arrival.i = i;
      const Marks& marks = block.sources.empty() ? process_.marks.front() : process_.marks[block.sources[k]];
      const uint64_t index = block.sources.empty() ? i : block.source_indexes[k];
      if (!marks.empty() && !marks.apply(index, arrival.t_ns, arrival)) continue;
      if (!block.segments.empty()) arrival.segment = block.segments[k];
      if (process_.episode > 0) arrival.episode = static_cast<uint32_t>(i / process_.episode);
      records::write_record(block.text, arrival);
      ++block.lines;
    }
  }

  const Process& process_;
  uint32_t shard_;
  uint32_t shards_;
  std::string line_start_;
  bool drops_;
  bool plain_;
};

// Blocks in order from several workers. draw, place and rendering run on any of them; sequence in block
// order.
class Pipeline {
 public:
  Pipeline(TimeSource& source, const Renderer& render, unsigned threads)
      : source_(source), render_(render), alive_limit_(threads + 2) {
    for (unsigned k = 0; k < threads; ++k) workers_.emplace_back([this] { work(); });
  }
  ~Pipeline() {
    stop();
    for (std::thread& worker : workers_) worker.join();
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // The next block, or null at the end. Rethrows what a worker threw.
  std::unique_ptr<Block> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return failure_ || done_.contains(written_) || (ended_ && written_ >= turn_); });
    if (failure_) std::rethrow_exception(failure_);
    const auto at = done_.find(written_);
    if (at == done_.end()) return nullptr;
    auto block = std::move(at->second);
    done_.erase(at);
    ++written_;
    changed_.notify_all();
    return block;
  }
  void recycle(std::unique_ptr<Block> block) {
    const std::scoped_lock lock(mutex_);
    spare_.push_back(std::move(block));
  }

 private:
  void stop() {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  void work() {
    try {
      while (auto block = take()) {
        source_.draw(*block);
        if (!sequence(*block)) return;
        source_.place(*block);
        render_(*block);
        const std::scoped_lock lock(mutex_);
        const uint64_t number = block->number;
        done_.emplace(number, std::move(block));
        changed_.notify_all();
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stopped_ = true;
      changed_.notify_all();
    }
  }
  std::unique_ptr<Block> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || ended_ || taken_ < written_ + alive_limit_; });
    if (stopped_ || ended_) return nullptr;
    std::unique_ptr<Block> block;
    if (spare_.empty()) {
      block = std::make_unique<Block>();
    } else {
      block = std::move(spare_.back());
      spare_.pop_back();
    }
    block->number = taken_++;
    block->last = false;
    block->path.clear();
    return block;
  }
  // Waits for the block's turn; false if the trace ended before it.
  bool sequence(Block& block) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopped_ || ended_ || turn_ == block.number; });
      if (stopped_ || ended_) return false;
    }
    source_.sequence(block);
    const std::scoped_lock lock(mutex_);
    ++turn_;
    if (block.last) ended_ = true;
    changed_.notify_all();
    return true;
  }

  TimeSource& source_;
  const Renderer& render_;
  const uint64_t alive_limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t taken_ = 0;    // blocks given to workers
  uint64_t turn_ = 0;     // the block whose sequence() is next
  uint64_t written_ = 0;  // blocks given to the writer
  bool ended_ = false;
  bool stopped_ = false;
  std::exception_ptr failure_;
  std::map<uint64_t, std::unique_ptr<Block>> done_;
  std::vector<std::unique_ptr<Block>> spare_;
  std::vector<std::thread> workers_;
};

class BlockWriter {
 public:
  BlockWriter(const GenerateOptions& options, records::Writer& writer) : options_(options), writer_(writer) {}
  // False when the run was asked to stop.
  bool operator()(const Block& block) {
    for (const records::RatePoint& point : block.path) writer_.write(point);
    writer_.arrival_lines(block.text.view(), block.lines, block.last_t_ns);
    if (options_.progress) options_.progress(block.first_i + block.times.size());
    return options_.stop == nullptr || !*options_.stop;
  }

 private:
  const GenerateOptions& options_;
  records::Writer& writer_;
};

// True if the trace came to its end.
bool run_alone(TimeSource& source, const Renderer& render, BlockWriter& write) {
  Block block;
  for (block.number = 0; !block.last; ++block.number) {
    block.path.clear();
    source.draw(block);
    source.sequence(block);
    source.place(block);
    render(block);
    if (!write(block)) return block.last;
  }
  return true;
}

bool run_pipeline(TimeSource& source, const Renderer& render, BlockWriter& write, unsigned threads) {
  Pipeline pipeline(source, render, threads);
  while (auto block = pipeline.next()) {
    const bool last = block->last;
    if (!write(*block)) return last;
    pipeline.recycle(std::move(block));
  }
  return true;
}

}  // namespace

void generate(const GenerateOptions& options, records::Run run, records::Writer& writer) {
  if (options.shards < 1 || options.shard >= options.shards) {
    throw usage_error("--shard {}/{}: the shard must be below the number of shards", options.shard,
                      options.shards);
  }
  BuildContext context;
  context.seed = options.seed;
  context.data_dir = options.data_dir;
  context.emit_path = options.emit_path;
  Process process = make_process(options.spec, context);
  run.spec = format_spec(options.spec);
  run.algo = kAlgo;
  run.rng = "philox4x32-10";
  run.seed = options.seed;
  if (!process.conditioned.empty()) run.conditioned = process.conditioned;
  if (options.shards > 1) {
    run.shard = options.shard;
    run.shards = options.shards;
  }
  writer.run(run);
  const Renderer render(process, options);
  BlockWriter write(options, writer);
  const bool whole = options.threads <= 1 ? run_alone(*process.times, render, write)
                                          : run_pipeline(*process.times, render, write, options.threads);
  records::End end;
  if (whole) end.duration_ns = process.times->duration_ns();
  if (!whole) end.interrupted = true;
  writer.end(end);
}

bool Timeline::next(std::vector<int64_t>& times) {
  if (ended_) return false;
  block_.number = number_++;
  source_->draw(block_);
  source_->sequence(block_);
  source_->place(block_);
  times.insert(times.end(), block_.times.begin(), block_.times.end());
  ended_ = block_.last;
  return true;
}

}  // namespace mlq::arrival
