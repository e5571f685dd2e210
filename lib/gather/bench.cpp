#include "lib/gather/bench.h"

#include <algorithm>
#include <cstring>

#include "lib/gather/codec.h"
#include "lib/gather/consent.h"
#include "lib/gather/piece_sender.h"
#include "lib/quant/bench.h"

namespace mlq::gather {
namespace {

// The part of one rank: as many whole blocks as the others.
class Share {
 public:
  Share(ranks::Comm& comm, const GatherBench& bench, unsigned bits)
      : comm_(comm),
        threads_(bench.threads),
        piece_(bench.piece),
        settings_(default_settings(Cancel::delta, bits)) {
    settings_.block = bench.block;
    validate(settings_);
    part_.elems = std::max(bench.block, bench.elems / comm.size() / bench.block * bench.block);
    part_.source = Float::bf16;
    weights_ = quant::normal_values(Float::bf16, part_.elems, 1 + comm.rank());
    held_.resize(comm.size() * weights_.size());
    next_.resize(weights_.size());
    packing_ = pack_parts(settings_, {}, {&part_, 1}, {});
    sending_.resize(packing_.payload_bytes);
    received_.resize(comm.size() * std::max(sending_.size(), weights_.size()));
  }

  void encode_and_send() {
    std::byte* const own = held_.data() + comm_.rank() * weights_.size();
    const OwnPart mine{part_, weights_.data(), own, next_.data(), nullptr, nullptr};
    PieceSender sender(comm_, sending_, std::span(received_).first(wire_bytes()), 0, piece_);
    encode_parts(settings_, {}, packing_, {&mine, 1}, sending_, threads_,
                 [&](uint64_t bytes) { sender.ready(bytes); });
    sender.finish();
  }
  void apply() {
    for (unsigned rank = 0; rank < comm_.size(); ++rank) {
      const HeldPart held{part_, held_.data() + rank * weights_.size()};
      apply_parts(settings_, {}, packing_, {&held, 1},
                  std::span(received_).subspan(rank * sending_.size(), sending_.size()), threads_);
    }
  }
  void send_bf16() { comm_.all_gather(weights_, bf16_received()); }
  void send_bf16_in_pieces() { PieceSender(comm_, weights_, bf16_received(), 0, piece_).finish(); }

  uint64_t wire_bytes() const { return sending_.size() * comm_.size(); }

 private:
  std::span<std::byte> bf16_received() { return std::span(received_).first(comm_.size() * weights_.size()); }

  ranks::Comm& comm_;
  unsigned threads_;
  uint64_t piece_;
  Settings settings_;
  Part part_;
  Packing packing_;
  std::vector<std::byte> weights_, held_, next_, sending_, received_;
};

struct Times {
  int64_t all = 0, comm = 0, bf16 = 0, bf16_in_pieces = 0;
};

// The slowest rank's. Where one was asked to stop, all are, and `stopped`: a flag may be set at any time, so
// ranks do not look at theirs alone.
Times slowest(ranks::Comm& comm, const Times& mine, StopFlag& stop, bool& stopped) {
  NoteData note{};
  put(note, 0, mine);
  put(note, sizeof mine, int64_t{stop.signal()});
  int64_t signal = 0;
  Times out;
  for (const NoteData& n : exchange_notes(comm, note)) {
    const auto times = take<Times>(n, 0);
    out = {std::max(out.all, times.all), std::max(out.comm, times.comm), std::max(out.bf16, times.bf16),
           std::max(out.bf16_in_pieces, times.bf16_in_pieces)};
    signal = std::max(signal, take<int64_t>(n, sizeof mine));
  }
  stopped = signal != 0;
  if (stopped) stop.request(static_cast<int>(signal));
  return out;
}

int64_t median(std::vector<int64_t> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

void bench_gather(ranks::Comm& comm, const GatherBench& bench, const Clock& clock,
                  const std::function<void(const GatherBenchResult&)>& report) {
  StopFlag nobody;
  StopFlag& stop = bench.stop == nullptr ? nobody : *bench.stop;
  bool stopped = false;
  for (const unsigned bits : bench.bits) {
    Share share(comm, bench, bits);
    std::vector<int64_t> all, wire, bf16, pieces;
    const auto time_of = [&](const auto& work) {
      const int64_t begin = clock.now_ns();
      work();
      return clock.now_ns() - begin;
    };
    // The first repetition only warms up. Every rank sees the same times, so all end together.
    for (int64_t spent = 0; (spent < bench.time_ns || all.size() < 4) && !stopped;) {
      Times times;
      comm.barrier();
      times.all = time_of([&] {
        times.comm = time_of([&] { share.encode_and_send(); });
        share.apply();
      });
      comm.barrier();
      times.bf16 = time_of([&] { share.send_bf16(); });
      comm.barrier();
      times.bf16_in_pieces = time_of([&] { share.send_bf16_in_pieces(); });
      times = slowest(comm, times, stop, stopped);
      spent += times.all + times.bf16 + times.bf16_in_pieces;
      all.push_back(times.all), wire.push_back(times.comm), bf16.push_back(times.bf16);
      pieces.push_back(times.bf16_in_pieces);
    }
    if (stopped) return;
    for (auto* values : {&all, &wire, &bf16, &pieces}) values->erase(values->begin());
    report({bits, all.size(), share.wire_bytes(), median(all), *std::min_element(all.begin(), all.end()),
            median(wire), std::min(median(bf16), median(pieces))});
  }
}

}  // namespace mlq::gather
