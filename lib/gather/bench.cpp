#include "lib/gather/bench.h"

#include <algorithm>
#include <cstring>

#include "lib/gather/codec.h"
#include "lib/gather/consent.h"
#include "lib/gather/exchange.h"
#include "lib/quant/bench.h"

namespace mlq::gather {
namespace {

// The part of one rank: as many whole blocks as the others.
class Share {
 public:
  Share(ranks::Comm& comm, const GatherBench& bench, Backend& backend, unsigned bits)
      : comm_(comm),
        backend_(backend),
        settings_(default_settings(Cancel::delta, bits)),
        codes_(comm, bench.wire, backend, 0, bench.piece),
        weights_in_pieces_(comm, bench.wire, backend, 0, bench.piece),
        weights_at_once_(comm, bench.wire, backend, 0, ~uint64_t{0}) {
    settings_.block = bench.block;
    validate(settings_);
    part_.elems = std::max(bench.block, bench.elems / comm.size() / bench.block * bench.block);
    part_.source = Float::bf16;
    const auto values = quant::normal_values(Float::bf16, part_.elems, 1 + comm.rank());
    weights_ = backend.allocate(values.size());
    backend.upload(weights_.data(), values);
    held_ = backend.allocate(comm.size() * weights_.size());
    next_ = backend.allocate(weights_.size());
    packing_ = pack_parts(settings_, {}, {&part_, 1}, {});
    codes_.open(packing_.payload_bytes);
    for (Exchange* exchange : {&weights_in_pieces_, &weights_at_once_}) {
      exchange->open(weights_.size());
      backend.copy(exchange->mine(), weights_.data(), weights_.size());
    }
  }

  void encode_and_send() {
    std::byte* const own = held_.data() + comm_.rank() * weights_.size();
    const OwnPart mine{part_, weights_.data(), own, next_.data(), nullptr, nullptr};
    codes_.open(packing_.payload_bytes);
    codes_.sent_by([&] {
      backend_.encode_parts(settings_, {}, packing_, {&mine, 1}, codes_.mine(),
                            [&](uint64_t bytes) { codes_.ready(bytes); });
      codes_.finish();
    });
  }
  void apply() {
    for (unsigned rank = 0; rank < comm_.size(); ++rank) {
      const HeldPart held{part_, held_.data() + rank * weights_.size()};
      backend_.apply_parts(settings_, {}, packing_, {&held, 1}, codes_.of(rank));
    }
    backend_.finish();
  }
  void send_bf16() { send(weights_at_once_); }
  void send_bf16_in_pieces() { send(weights_in_pieces_); }

  uint64_t wire_bytes() const { return codes_.wire_bytes(); }

 private:
  void send(Exchange& exchange) const {
    exchange.open(weights_.size());
    exchange.sent_by([&] { exchange.finish(); });
  }

  ranks::Comm& comm_;
  Backend& backend_;
  Settings settings_;
  Part part_;
  Packing packing_;
  Memory weights_, held_, next_;
  Exchange codes_, weights_in_pieces_, weights_at_once_;
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
  HostBackend host(bench.threads);
  for (const unsigned bits : bench.bits) {
    Share share(comm, bench, bench.backend == nullptr ? host : *bench.backend, bits);
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
