#include "lib/gather/codec.h"

#include <atomic>
#include <thread>

#include "kernels/float_convert.h"
#include "kernels/sums.h"
#include "lib/base/error.h"

namespace mlq::gather {
namespace {

// What a thread takes at a time: kPiece of one part.
struct Task {
  size_t part;
  PieceRange piece;
};
template <class Parts>
std::vector<Task> tasks_of(const Parts& parts) {
  std::vector<Task> tasks;
  for (size_t i = 0; i < parts.size(); ++i)
    for (uint64_t p = 0; p < pieces_of(parts[i].part.elems); ++p)
      tasks.push_back({i, piece_at(parts[i].part.elems, p)});
  return tasks;
}

// Calls work(i) for i = 0 ... count - 1, which throws nothing, and between those of its own thread between().
template <class Work, class Between>
void in_parallel(uint64_t count, unsigned threads, const Work& work, const Between& between) {
  std::atomic<uint64_t> next{0};
  std::vector<std::jthread> others;
  for (unsigned t = 1; t < threads && t < count; ++t)
    others.emplace_back([&] {
      for (uint64_t i = next++; i < count; i = next++) work(i);
    });
  for (uint64_t i = next++; i < count; i = next++) {
    work(i);
    between();
  }
}

// How far a payload is final while tasks are done, in about their order.
class Progress {
 public:
  explicit Progress(size_t tasks) : done_(tasks) {}
  void done(size_t task) { done_[task].store(true, std::memory_order_release); }
  // Tasks from the first on without a gap. For one thread.
  size_t without_gap() {
    while (first_ < done_.size() && done_[first_].load(std::memory_order_acquire)) ++first_;
    return first_;
  }

 private:
  std::vector<std::atomic<bool>> done_;
  size_t first_ = 0;
};

const void* at(const void* array, Float type, uint64_t i) {
  return static_cast<const uint8_t*>(array) + i * size_of(type);
}

PartError encode_task(const Settings& settings, const Frame& frame, const Packing::Slot& slot,
                      const OwnPart& own, const PieceRange& piece, std::byte* payload) {
  PartCounts counts;
  encode_piece(settings, own.part, frame, piece, own.weights, own.held, own.next, own.residual,
               own.next_residual, reinterpret_cast<uint8_t*>(payload + slot.codes), payload + slot.scales,
               counts);
  constexpr uint64_t kGroups = kPiece / kernels::kSumGroup;
  kernels::ErrorSums sums[kGroups];
  kernels::error_sums_simd(piece.count, own.part.source, at(own.weights, own.part.source, piece.first),
                           settings.state, at(own.next, settings.state, piece.first), sums);
  PartError error;
  for (uint64_t g = 0; g < kernels::sum_groups(piece.count); ++g) {
    error.weight_energy += sums[g].x2;
    error.error_energy += sums[g].e2;
  }
  error.nonfinite = counts.encoded.nonfinite;
  error.saturated = counts.saturated;
  return error;
}

}  // namespace

std::vector<PartError> encode_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                                    std::span<const OwnPart> parts, std::span<std::byte> payload,
                                    unsigned threads, const Ready& ready) {
  std::fill(payload.begin(), payload.end(), std::byte{0});
  const std::vector<Task> tasks = tasks_of(parts);
  std::vector<PartError> of_task(tasks.size());
  Progress progress(tasks.size());
  const auto encode = [&](uint64_t i) {
    const auto& [part, piece] = tasks[i];
    of_task[i] = encode_task(settings, frame, packing.parts[part], parts[part], piece, payload.data());
    progress.done(i);
  };
  in_parallel(tasks.size(), threads, encode, [&] {
    const size_t next = progress.without_gap();
    if (!ready || next == tasks.size()) return;
    const auto& [part, piece] = tasks[next];
    ready(packing.parts[part].codes + code_bytes(settings, frame, piece.first));
  });
  if (ready) ready(payload.size());
  std::vector<PartError> errors(parts.size());
  for (size_t i = 0; i < tasks.size(); ++i) {  // in the order of the elements, whoever did them
    PartError& sum = errors[tasks[i].part];
    sum.weight_energy += of_task[i].weight_energy;
    sum.error_energy += of_task[i].error_energy;
    sum.nonfinite += of_task[i].nonfinite;
    sum.saturated += of_task[i].saturated;
  }
  return errors;
}

void apply_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                 std::span<const HeldPart> parts, std::span<const std::byte> payload, unsigned threads) {
  const std::vector<Task> tasks = tasks_of(parts);
  const auto apply = [&](uint64_t i) {
    const auto& [part, piece] = tasks[i];
    const Packing::Slot& slot = packing.parts[part];
    uint64_t saturated = 0;  // the owner has counted
    apply_piece(settings, parts[part].part, frame, piece,
                reinterpret_cast<const uint8_t*>(payload.data() + slot.codes), payload.data() + slot.scales,
                parts[part].held, &saturated);
  };
  in_parallel(tasks.size(), threads, apply, [] {});
}

std::optional<Unfit> find_nonfinite(Float type, const void* values, uint64_t elems) {
  for (uint64_t i = 0; i < elems; ++i) {
    const float x = kernels::load(type, values, i);
    if (kernels::is_finite(x)) continue;
    const std::string bits = type == Float::f32
                                 ? fmt::format("0x{:08x}", kernels::bits_of(x))
                                 : fmt::format("0x{:04x}", static_cast<const uint16_t*>(values)[i]);
    const bool nan = kernels::magnitude_bits(x) > 0x7f800000u;
    return Unfit{i, fmt::format("{} (bits {})", nan ? "NaN" : "infinite", bits)};
  }
  return std::nullopt;
}

}  // namespace mlq::gather
