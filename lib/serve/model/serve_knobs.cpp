#include "lib/serve/model/serve_knobs.h"

#include <fmt/format.h>

namespace mlq::serve::model {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

Knob in(KnobUnit unit, Knob knob) {
  knob.unit = unit;
  return knob;
}

Knob fixed(Knob knob) {
  knob.tunable = false;
  return knob;
}

Knob share(std::string name, std::string text) {
  return fixed(real_knob(std::move(name), 0, 1, std::move(text)));
}

Knob time(std::string name, std::string text) {
  return fixed(in(KnobUnit::ns, int_knob(std::move(name), 0, 3600 * kSecond, std::move(text))));
}

// Members of the bases, which deduction would not take for members of ServeKnobs.
template <class T>
void add(KnobTable<ServeKnobs>& table, T ServeKnobs::*member, Knob knob) {
  table.add(member, std::move(knob));
}

void add_sleep(KnobTable<ServeKnobs>& t) {
  using K = ServeKnobs;
  add<int64_t>(t, &K::base_ns, time("base_ns", "Time of a batch, whatever its size."));
  add<int64_t>(t, &K::per_row_ns, time("per_row_ns", "Time for each row of a batch."));
  add<double>(t, &K::noise,
              fixed(real_knob("noise", 0, 3,
                              "Standard deviation of the logarithm of lognormal "
                              "noise with mean 1, by which times are "
                              "multiplied.")));
  add<bool>(t, &K::burn, fixed(bool_knob("burn", "Use CPU for that time in place of a timer.")));
  add<double>(t, &K::stall_share, share("stall_share", "Share of the batches that take stall_ns more."));
  add<int64_t>(t, &K::stall_ns, time("stall_ns", "That time."));
  add<uint64_t>(t, &K::crash_after,
                fixed(in(KnobUnit::batches, int_knob("crash_after", 0, int64_t{1} << 40,
                                                     "Die in place of answering this batch and all later "
                                                     "ones; 0 is never."))));
}

void add_faults(KnobTable<ServeKnobs>& t) {
  using K = ServeKnobs;
  add<double>(t, &K::error_share, share("error_share", "Share of the requests that are answered with 500."));
  add<double>(t, &K::wrong_rows_share,
              share("wrong_rows_share", "Share of the answers that have a row less than was asked for."));
  add<double>(t, &K::drop_output_share,
              share("drop_output_share", "Share of the answers that lack the last output (v2)."));
  add<double>(t, &K::swap_outputs_share,
              share("swap_outputs_share", "Share of the answers whose outputs come in reverse order (v2)."));
  add<double>(t, &K::nan_share,
              share("nan_share",
                    "Share of the answers whose last output begins with NaN (v1 and plain: whose "
                    "answer does)."));
  add<double>(t, &K::trickle_share, share("trickle_share", "Share of the answers that trickle."));
  add<int64_t>(t, &K::trickle_ns, time("trickle_ns", "From the first to the last byte of such an answer."));
  add<double>(t, &K::reset_share,
              share("reset_share",
                    "Share of the requests whose connection is reset where the answer would "
                    "begin."));
}

}  // namespace

KnobTable<ServeKnobs> serve_knob_table(Backend backend, unsigned cores) {
  using K = ServeKnobs;
  KnobTable<K> t;
  t.add(&K::instances, int_knob("instances", 1, 64, "Batches that are worked on at a time."));
  t.add(&K::intra_threads,
        in(KnobUnit::threads,
           int_knob("intra_threads", 1, cores,
                    "Threads that share out the rows of a batch; as many as cores at most.")));
  t.add(&K::max_rows, in(KnobUnit::rows, log_int_knob("max_rows", 1, 4096, "Rows of a batch at most.")));
  t.add(&K::delay_ns, in(KnobUnit::ns, int_knob("delay_ns", 0, kSecond,
                                                "How long the oldest request waits for more rows.")));
  t.add(&K::queue_rows,
        fixed(in(KnobUnit::rows,
                 log_int_knob("queue_rows", 1, 1 << 20, "Rows that may wait; what is over gets 503."))));
  // As a number: whoever reads the schema may stand on another machine.
  const uint64_t most = 2 * uint64_t{cores};
  t.require(fmt::format("instances * intra_threads <= {}", most),
            [most](const K& knobs) { return uint64_t{knobs.instances} * knobs.intra_threads <= most; });
  if (backend == Backend::sleep) {
    add_sleep(t);
    add_faults(t);
  }
  return t;
}

}  // namespace mlq::serve::model
