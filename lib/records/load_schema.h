// The field lists of load.h.
#pragma once

#include "lib/records/load.h"
#include "lib/records/schema.h"

namespace mlq::records {

template <>
struct Schema<Result> {
  static constexpr std::string_view type = "result";
  static constexpr std::string_view summary =
      "What came of one request. Times are from the start of the trace; a stage that was not reached has "
      "none.";
  static constexpr auto fields = std::tuple{
      field<"i", &Result::i>("", "Index in the trace."),
      field<"shard", &Result::shard>("", "Shard that sent it; without it, 0."),
      field<"attempt", &Result::attempt>(
          "", "2 if a kept connection turned out dead and the request went out again; without it, 1."),
      field<"class", &Result::klass>("", "Kind of request, from the arrival."),
      field<"conversation", &Result::conversation>("", "Dialogue, from the arrival."),
      field<"key", &Result::key>("", "Item of the popularity law, from the arrival."),
      field<"episode", &Result::episode>("", "Episode, from the arrival."),
      field<"outcome", &Result::outcome>(
          "",
          "ok, dns, connect_refused, connect_timeout, tls, send_reset, first_byte_timeout, idle_timeout, "
          "total_timeout, reset, truncated, http_4xx, http_429, http_5xx, protocol, json, sse_error, "
          "dropped_cap, cancelled or censored."),
      field<"status", &Result::status>("", "HTTP status."),
      field<"t_ns", &Result::t_ns>("ns", "Time in the trace, where due_ns differs from it (--speed)."),
      field<"due_ns", &Result::due_ns>("ns", "When it was to be sent."),
      field<"send_ns", &Result::send_ns>("ns", "When its first byte was handed to the kernel."),
      field<"sent_ns", &Result::sent_ns>("ns", "When its last byte was, of a body over 64 KiB."),
      field<"first_ns", &Result::first_ns>("ns", "First byte of the answer."),
      field<"tok1_ns", &Result::tok1_ns>("ns", "First event that carried a token."),
      field<"tok_last_ns", &Result::tok_last_ns>("ns", "Last such event."),
      field<"last_ns", &Result::last_ns>("ns", "Last byte of the answer."),
      field<"lag_ns", &Result::lag_ns>("ns", "send_ns - due_ns."),
      field<"queue_ns", &Result::queue_ns>(
          "ns",
          "The part of the lag that was waiting for the cap on requests in flight, or for a connection."),
      field<"connect_ns", &Result::connect_ns>(
          "ns", "Time to open the connection, if one had to be opened; part of the lag."),
      field<"latency_ns", &Result::latency_ns>(
          "ns", "last_ns - due_ns; of a request that was given up, the time it had been waited for."),
      field<"service_ns", &Result::service_ns>("ns", "last_ns - send_ns."),
      field<"ttft_ns", &Result::ttft_ns>("ns", "Time to the first token: tok1_ns - due_ns."),
      field<"ttft_send_ns", &Result::ttft_send_ns>("ns", "tok1_ns - send_ns."),
      field<"tpot_ns", &Result::tpot_ns>(
          "ns", "Time per output token: (tok_last_ns - tok1_ns) / (output_tokens - 1)."),
      field<"norm_latency_ns", &Result::norm_latency_ns>("ns", "latency_ns / output_tokens."),
      field<"itl_p50_ns", &Result::itl_p50_ns>("ns", "Median gap between token events."),
      field<"itl_p99_ns", &Result::itl_p99_ns>("ns", "99th percentile of them."),
      field<"itl_max_ns", &Result::itl_max_ns>("ns", "Longest of them."),
      field<"itl_ns", &Result::itl_ns>("ns", "All of them, at most 4,096 (--itl full)."),
      field<"retry_after_ns", &Result::retry_after_ns>("ns", "What a 429 asked the client to wait."),
      field<"input_tokens", &Result::input_tokens>("tokens", "Prompt length that the server counted."),
      field<"output_tokens", &Result::output_tokens>("tokens", "Length of the answer."),
      field<"tokens_from", &Result::tokens_from>(
          "", "Who counted output_tokens: usage (the server) or events (a chunk may hold several tokens)."),
      field<"events", &Result::events>("", "Events of the stream that carried a token."),
      field<"coalesced", &Result::coalesced>("", "Of these, how many came in one read with the one before."),
      field<"stalls", &Result::stalls>("", "Gaps longer than --stall-factor times the median."),
      field<"up_bytes", &Result::up_bytes>("bytes", "Body that was sent."),
      field<"down_bytes", &Result::down_bytes>("bytes", "Body that was received."),
      field<"conn", &Result::conn>("", "Local port of the connection."),
      field<"reused", &Result::reused>("", "Whether the connection had been open before."),
      field<"gen", &Result::gen>("", "The answer's x-mlq-gen: which configuration served it."),
      field<"cache", &Result::cache>("", "The answer's x-mlq-cache."),
      field<"deadline_ns", &Result::deadline_ns>("ns", "The request's own latency limit, from the arrival."),
      field<"slo_ok", &Result::slo_ok>("", "Whether it is good: ok, and every per-request term holds."),
      field<"note", &Result::note>("", "What went wrong, in words."),
  };
};

template <FixedString Name, auto Metric>
constexpr auto metric_fields() {
  return std::tuple{
      field<Name + "_mean_ns", Metric, &MetricStats::mean>("ns", "Mean."),
      field<Name + "_p50_ns", Metric, &MetricStats::p50>("ns", "Median."),
      field<Name + "_p90_ns", Metric, &MetricStats::p90>("ns", "90th percentile."),
      field<Name + "_p95_ns", Metric, &MetricStats::p95>("ns", "95th percentile."),
      field<Name + "_p99_ns", Metric, &MetricStats::p99>("ns", "99th percentile."),
      field<Name + "_p999_ns", Metric, &MetricStats::p999>("ns", "99.9th percentile."),
      field<Name + "_max_ns", Metric, &MetricStats::max>("ns", "Largest."),
  };
}

// The ends of the intervals of a metric whose quantiles have them.
template <FixedString Name, auto Metric>
constexpr auto interval_fields() {
  return std::tuple{
      field<Name + "_p50_lo_ns", Metric, &MetricStats::p50_lo>(
          "ns", "Lower end of the 95 % interval of the median, whatever the law."),
      field<Name + "_p50_hi_ns", Metric, &MetricStats::p50_hi>("ns", "Upper end of it."),
      field<Name + "_p99_lo_ns", Metric, &MetricStats::p99_lo>(
          "ns",
          "Lower end of the 95 % interval of the 99th percentile; where that is unknown, the largest bound "
          "that is known."),
      field<Name + "_p99_hi_ns", Metric, &MetricStats::p99_hi>("ns", "Upper end of it."),
  };
}

template <>
struct Schema<LoadStats> {
  static constexpr auto counts = std::tuple{
      field<"class", &LoadStats::klass>("", "Kind of request; * stands for all."),
      field<"window", &LoadStats::window>("", "Which window, from 0."),
      field<"from_ns", &LoadStats::from_ns>("ns", "Start: due times from here on."),
      field<"to_ns", &LoadStats::to_ns>("ns",
                                        "End: due times below, of the last window or a summary up to it."),
      field<"planned", &LoadStats::planned>("", "Requests that were due; the rest adds up to them."),
      field<"sent", &LoadStats::sent>("", "Requests whose first byte was handed to the kernel."),
      field<"done", &LoadStats::done>("", "Requests with a whole answer, whatever its status."),
      field<"ok", &LoadStats::ok>("", "Requests with outcome ok."),
      field<"good", &LoadStats::good>("", "Of these, those that hold every per-request term of the SLO."),
      field<"dropped", &LoadStats::dropped>("", "Requests that were not sent because of the cap."),
      field<"censored", &LoadStats::censored>(
          "", "Requests that were given up at the end of the run, sent or not (censored, cancelled)."),
      field<"unfinished", &LoadStats::unfinished>(
          "",
          "Requests in flight when the window had to be written; they "
          "are in the summary."),
      field<"drain_ns", &LoadStats::drain_ns>(
          "ns",
          "From to_ns until the last answer; part of the time that done_per_s and good_per_s refer to."),
      field<"offered_per_s", &LoadStats::offered_per_s>("1/s", "planned over the length."),
      field<"sent_per_s", &LoadStats::sent_per_s>("1/s", "sent over the length."),
      field<"done_per_s", &LoadStats::done_per_s>("1/s", "done over the length and drain_ns: throughput."),
      field<"good_per_s", &LoadStats::good_per_s>("1/s", "good over the length and drain_ns: goodput."),
      field<"input_tokens", &LoadStats::input_tokens>("tokens", "Prompt tokens that servers counted."),
      field<"output_tokens", &LoadStats::output_tokens>("tokens", "Tokens of answers."),
      field<"up_bytes", &LoadStats::up_bytes>("bytes", "Bodies sent."),
      field<"down_bytes", &LoadStats::down_bytes>("bytes", "Bodies received."),
      field<"input_tokens_per_s", &LoadStats::input_tokens_per_s>("tokens/s", "Over length and drain_ns."),
      field<"output_tokens_per_s", &LoadStats::output_tokens_per_s>("tokens/s", "Over length and drain_ns."),
      field<"up_bytes_per_s", &LoadStats::up_bytes_per_s>("bytes/s", "Over length and drain_ns."),
      field<"down_bytes_per_s", &LoadStats::down_bytes_per_s>("bytes/s", "Over length and drain_ns."),
      field<"attain", &LoadStats::attain>("",
                                          "good over planned: drops, errors and the unfinished are misses."),
      field<"attain_lo", &LoadStats::attain_lo>("", "Lower end of its 95 % interval (Wilson)."),
      field<"attain_hi", &LoadStats::attain_hi>("", "Upper end of it."),
  };
  static constexpr auto fields = std::tuple_cat(
      counts, metric_fields<"latency", &LoadStats::latency>(),
      interval_fields<"latency", &LoadStats::latency>(), metric_fields<"service", &LoadStats::service>(),
      metric_fields<"lag", &LoadStats::lag>(), metric_fields<"queue", &LoadStats::queue>(),
      metric_fields<"ttft", &LoadStats::ttft>(), interval_fields<"ttft", &LoadStats::ttft>(),
      metric_fields<"tpot", &LoadStats::tpot>(), metric_fields<"itl", &LoadStats::itl>(),
      std::tuple{
          field<"slo_pass", &LoadStats::slo_pass>("", "Whether every aggregate term of the SLO holds."),
          field<"note", &LoadStats::note>("", "Why a value is missing.")});
};

template <>
struct Schema<LoadWindow> {
  static constexpr std::string_view type = "load_window";
  static constexpr std::string_view summary =
      "The requests of one window (by due time, or by index), once all have an outcome.";
  static constexpr auto fields = Schema<LoadStats>::fields;
};

template <>
struct Schema<Summary> {
  static constexpr std::string_view type = "summary";
  static constexpr std::string_view summary = "The whole run, or one class of it, with a verdict.";
  static constexpr auto fields = std::tuple_cat(
      Schema<LoadStats>::fields,
      std::tuple{
          field<"inflight_ns", &Summary::inflight_ns>(
              "ns", "Requests in flight, integrated over the run, from the sends."),
          field<"inflight_mean", &Summary::inflight_mean>("", "Mean number in flight."),
          field<"inflight_max", &Summary::inflight_max>(
              "", "Largest number in flight; known of a run with one sending thread."),
          field<"little_ratio", &Summary::little_ratio>(
              "", "inflight_ns over the sum of the service times: 1 if all requests are accounted for."),
          field<"latency_over_service", &Summary::latency_over_service>(
              "",
              "Mean latency of the ok over mean service time of all answers: above 1, what timing from the "
              "send would hide; fast errors raise it too."),
          field<"cpu_ns_per_request", &Summary::cpu_ns_per_request>("ns",
                                                                    "CPU time of the sender a request."),
          field<"lag_drift_ns_per_min", &Summary::lag_drift_ns_per_min>(
              "ns/min", "Slope of the least lag of blocks of requests against their due time."),
          field<"warmup_ns", &Summary::warmup_ns>("ns", "Requests due before this are left out."),
          field<"max_lag_ns", &Summary::max_lag_ns>(
              "ns", "The largest lag at the 99th percentile with which the run is valid (--max-lag)."),
          field<"valid", &Summary::valid>("", "Whether the sender kept its plan, so that the figures stand."),
          field<"why", &Summary::why>(
              "",
              "Why not, between commas: lag_p99, shard_cpu, cap_hit, dropped, fd_limit, ports, "
              "trace_starved, "
              "records_dropped, rt_throttled, censored, truncated, clock_error, missing_shards."),
      });
};

template <>
struct Schema<OutcomeCount> {
  static constexpr std::string_view type = "outcome";
  static constexpr std::string_view summary =
      "How many requests of a run, or of a window of it, had an outcome.";
  static constexpr auto fields = std::tuple{
      field<"class", &OutcomeCount::klass>("", "Kind of request; * stands for all."),
      field<"window", &OutcomeCount::window>("", "Which window of the run; without it, the whole."),
      field<"outcome", &OutcomeCount::outcome>("", "As in result."),
      field<"count", &OutcomeCount::count>("", "Requests."),
  };
};

}  // namespace mlq::records
