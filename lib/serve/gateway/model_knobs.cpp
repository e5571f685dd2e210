#include "lib/serve/gateway/model_knobs.h"

#include <string>

namespace mlq::serve {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kGiB = int64_t{1} << 30;

Knob in(KnobUnit unit, Knob knob) {
  knob.unit = unit;
  return knob;
}
Knob when(std::string condition, Knob knob) {
  knob.when = std::move(condition);
  return knob;
}
// Not a tuner's to move: what is promised, what may be refused or answered from memory, and limits of memory.
Knob kept(Knob knob) {
  knob.tunable = false;
  return knob;
}
std::vector<KnobValue> words(std::initializer_list<const char*> names) {
  std::vector<KnobValue> out;
  for (const char* name : names) out.emplace_back(std::string(name));
  return out;
}

KnobTable<ModelKnobs> make() {
  using M = ModelKnobs;
  KnobTable<M> t;
  t.add(&M::controller, list_knob("controller", words({"fixed", "aimd", "quantile", "knee"}),
                                  "Who chooses the size of a batch."));
  t.add(&M::max_rows, in(KnobUnit::rows, log_int_knob("max_rows", 1, 4096, "Rows of a batch at most.")));
  t.add(&M::delay_mode, list_knob("delay_mode", words({"auto", "fixed"}),
                                  "When a batch that is not full waits for more rows."));
  t.add(
      &M::delay_ns,
      when("delay_mode == 'fixed'",
           in(KnobUnit::ns,
              list_knob("delay_ns", {int64_t{0}, kMs / 10, kMs / 5, kMs / 2, kMs, 2 * kMs, 5 * kMs, 10 * kMs},
                        "How long the oldest request waits for more rows at most."))));
  t.add(&M::concurrency,
        when("concurrency_mode == 'fixed'",
             in(KnobUnit::batches, int_knob("concurrency", 1, 64, "Batches at a time in each replica."))));
  t.add(&M::concurrency_mode, list_knob("concurrency_mode", words({"fixed", "gradient"}),
                                        "Whether the batches at a time are set or found from latencies."));
  t.add(&M::max_batch_bytes,
        kept(in(KnobUnit::bytes,
                log_int_knob("max_batch_bytes", 1024, kGiB, "Bytes of requests in a batch at most."))));
  t.add(&M::slo_ns, kept(in(KnobUnit::ns, int_knob("slo_ns", 0, 3600'000 * kMs,
                                                   "Latency objective, from a request's first byte; 0 is "
                                                   "none."))));
  t.add(&M::slo_quantile,
        kept(real_knob("slo_quantile", 0.5, 0.9999, "Share of the requests that is to keep the objective.")));
  t.add(&M::aimd_add,
        when("controller == 'aimd'",
             in(KnobUnit::rows, real_knob("aimd_add", 0.1, 256, "Rows more after a full batch in time."))));
  t.add(&M::aimd_mul,
        when("controller == 'aimd'", real_knob("aimd_mul", 0.1, 0.99, "Factor after a late batch.")));
  t.add(&M::aimd_band,
        when("controller == 'aimd'",
             real_knob("aimd_band", 0.1, 1, "Above this share of the budget the size stays.")));
  t.add(&M::knee_share,
        when("controller == 'knee'", real_knob("knee_share", 0.5, 1,
                                               "The least size with this share of the best throughput "
                                               "is taken.")));
  t.add(&M::drop_rule, kept(list_knob("drop_rule", words({"window", "earliest", "none"}),
                                      "Which waiting requests are given up because they would be late.")));
  t.add(&M::admit, kept(bool_knob("admit", "Whether requests that would be late are refused at the door.")));
  t.add(&M::max_queue_rows,
        kept(in(KnobUnit::rows, log_int_knob("max_queue_rows", 1, 1 << 20, "Rows waiting at most."))));
  t.add(&M::max_queue_bytes, kept(in(KnobUnit::bytes, log_int_knob("max_queue_bytes", 1024, 16 * kGiB,
                                                                   "Bytes of requests waiting at most."))));
  t.add(&M::cache_bytes,
        kept(in(KnobUnit::bytes,
                int_knob("cache_bytes", 0, int64_t{1} << 40,
                         "Size of the prediction cache; 0 is none. Only for models whose answers "
                         "depend on nothing but the request."))));
  t.add(&M::cache_policy, kept(when("cache_bytes > 0", list_knob("cache_policy", words({"clock", "s3fifo"}),
                                                                 "What leaves a full cache."))));
  t.add(&M::cache_ttl_ns,
        kept(when("cache_bytes > 0", in(KnobUnit::ns, int_knob("cache_ttl_ns", kMs, 86'400'000 * kMs,
                                                               "How long an answer is kept.")))));
  t.add(&M::coalesce,
        kept(bool_knob("coalesce", "Whether equal requests in flight share one upstream call.")));
  t.add(&M::retry_max,
        kept(int_knob("retry_max", 0, 3, "Upstream calls more that a failed request may be part of.")));
  t.add(&M::retry_share,
        kept(real_knob("retry_share", 0, 1,
                       "Upstream calls made again after a reset at most, as a share of requests.")));
  t.add(&M::upstream_timeout_ns, kept(in(KnobUnit::ns, int_knob("upstream_timeout_ns", kMs, 3600'000 * kMs,
                                                                "How long a replica may take to answer."))));
  t.add(&M::default_status,
        kept(list_knob("default_status", {int64_t{200}, int64_t{203}}, "Status of a default output.")));
  return t;
}

}  // namespace

const KnobTable<ModelKnobs>& model_knob_table() {
  static const KnobTable<ModelKnobs> table = make();
  return table;
}

const KnobRows& model_knob_rows() {
  static const KnobRows rows = model_knob_table().rows();
  return rows;
}

}  // namespace mlq::serve
