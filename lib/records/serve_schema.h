// The field lists of serve.h.
#pragma once

#include "lib/records/schema.h"
#include "lib/records/serve.h"

namespace mlq::records {

template <>
struct Schema<Listen> {
  static constexpr std::string_view type = "listen";
  static constexpr std::string_view summary = "A socket that a server listens on, before its first request.";
  static constexpr auto fields = std::tuple{
      field<"role", &Listen::role>("", "data, or admin."),
      field<"address", &Listen::address>("", "As in http://127.0.0.1:8000 or unix:/run/model.sock."),
  };
};

template <>
struct Schema<ServedModel> {
  static constexpr std::string_view type = "model";
  static constexpr std::string_view summary = "A model as it is served: at the start, and when that changes.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &ServedModel::t_ns>("ns", "From the start of the run."),
      field<"model", &ServedModel::model>("", "Its name in requests."),
      field<"dialect", &ServedModel::dialect>("", "v2, v1 or plain."),
      field<"batchable", &ServedModel::batchable>("",
                                                  "Whether requests of several clients may share a batch."),
      field<"note", &ServedModel::note>("", "Why not, if not."),
  };
};

template <>
struct Schema<Replica> {
  static constexpr std::string_view type = "replica";
  static constexpr std::string_view summary = "A replica that changed.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &Replica::t_ns>("ns", "From the start of the run."),
      field<"model", &Replica::model>("", "Model."),
      field<"replica", &Replica::replica>("", "Its number; kept for the life of the model."),
      field<"url", &Replica::url>("", "Where it is."),
      field<"state", &Replica::state>("", "up, down, ejected, draining, added or removed."),
      field<"reason", &Replica::reason>("", "Why."),
  };
};

template <>
struct Schema<KnobChange> {
  static constexpr std::string_view type = "knob";
  static constexpr std::string_view summary =
      "A knob that was set: at the start if it is not its default, and at each change.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &KnobChange::t_ns>("ns", "From the start of the run."),
      field<"model", &KnobChange::model>("", "Model."),
      field<"gen", &KnobChange::gen>("", "Generation from which on it holds."),
      field<"knob", &KnobChange::knob>("", "Name."),
      field<"value", &KnobChange::value>("", "Its value."),
      field<"value_before", &KnobChange::value_before>("", "What it was."),
      field<"by", &KnobChange::by>("", "admin, reload, start or state."),
  };
};

template <>
struct Schema<ServeWindow> {
  static constexpr std::string_view type = "serve_window";
  static constexpr std::string_view summary = "What a server did for one model in an interval.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &ServeWindow::t_ns>("ns", "Its start, from the start of the run."),
      field<"model", &ServeWindow::model>("", "Model."),
      field<"gen", &ServeWindow::gen>("", "Generation of the knobs at its end."),
      field<"window_ns", &ServeWindow::window_ns>("ns", "Its length."),
      field<"requests", &ServeWindow::requests>("", "Requests that were answered or given up."),
      field<"ok", &ServeWindow::ok>("", "Of these, with a 2xx that is no default."),
      field<"good", &ServeWindow::good>("", "Of these, within their deadline."),
      field<"shed", &ServeWindow::shed>("", "Refused or dropped because of load: 429 and 503."),
      field<"failed", &ServeWindow::failed>("", "Every other status from 400 on, and clients that went."),
      field<"defaulted", &ServeWindow::defaulted>("", "Answered with the default output."),
      field<"rate_per_s", &ServeWindow::rate_per_s>("1/s", "Requests that came in."),
      field<"good_per_s", &ServeWindow::good_per_s>("1/s", "Good answers."),
      field<"latency_p50_ns", &ServeWindow::latency_p50_ns>(
          "ns", "Median time from a request's first byte to its answer's last, of ok ones."),
      field<"latency_p99_ns", &ServeWindow::latency_p99_ns>("ns", "99th percentile of it."),
      field<"queue_p99_ns", &ServeWindow::queue_p99_ns>("ns", "99th percentile of the time in the queue."),
      field<"batches", &ServeWindow::batches>("", "Batches that ended."),
      field<"batch_rows_mean", &ServeWindow::batch_rows_mean>("rows", "Their mean size."),
      field<"target_rows", &ServeWindow::target_rows>("rows",
                                                      "Size that the controller aims at, at the end."),
      field<"inflight", &ServeWindow::inflight>("", "Batches in flight at the end."),
      field<"cache_hits", &ServeWindow::cache_hits>("", "Answers from the cache."),
      field<"coalesced", &ServeWindow::coalesced>("", "Answers that shared another request's upstream call."),
  };
};

template <>
struct Schema<ServedBatch> {
  static constexpr std::string_view type = "batch";
  static constexpr std::string_view summary = "One batch, when it ended.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &ServedBatch::t_ns>("ns", "When it was sent, from the start of the run."),
      field<"model", &ServedBatch::model>("", "Model."),
      field<"replica", &ServedBatch::replica>("", "Where it went."),
      field<"gen", &ServedBatch::gen>("", "Generation of the knobs when it was sent."),
      field<"controller", &ServedBatch::controller>("", "Who chose its size."),
      field<"requests", &ServedBatch::requests>("", "Requests in it."),
      field<"rows", &ServedBatch::rows>("rows", "Rows in it."),
      field<"target_rows", &ServedBatch::target_rows>("rows", "Size that the controller aimed at."),
      field<"request_bytes", &ServedBatch::request_bytes>("bytes", "Body that went up."),
      field<"latency_ns", &ServedBatch::latency_ns>("ns", "First byte up to last byte down."),
      field<"predicted_ns", &ServedBatch::predicted_ns>(
          "ns", "What the model of the latency said at the objective's quantile."),
      field<"queue_max_ns", &ServedBatch::queue_max_ns>("ns", "Longest time in the queue of its requests."),
      field<"hold_ns", &ServedBatch::hold_ns>(
          "ns", "How long it waited for more rows although it could have gone."),
      field<"outcome", &ServedBatch::outcome>("", "clean, rejected, failed or abandoned."),
  };
};

template <>
struct Schema<ServedRequest> {
  static constexpr std::string_view type = "request";
  static constexpr std::string_view summary = "One request, when it was answered.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &ServedRequest::t_ns>("ns", "Its first byte, from the start of the run."),
      field<"model", &ServedRequest::model>("", "Model."),
      field<"request_id", &ServedRequest::request_id>("", "The answer's x-mlq-request-id."),
      field<"gen_admitted", &ServedRequest::gen_admitted>("", "Generation of the knobs when it came."),
      field<"gen", &ServedRequest::gen>("", "The same when it was answered."),
      field<"rows", &ServedRequest::rows>("rows", "Rows; 0 if that is not known."),
      field<"code", &ServedRequest::code>("", "Status of the answer; 499 if the client went."),
      field<"reason", &ServedRequest::reason>("", "The answer's x-mlq-reason."),
      field<"latency_ns", &ServedRequest::latency_ns>("ns", "First byte read to last byte written."),
      field<"queue_ns", &ServedRequest::queue_ns>("ns", "Time in the queue."),
      field<"slack_ns", &ServedRequest::slack_ns>(
          "ns", "Deadline minus the time of the answer; negative if it was late."),
      field<"good", &ServedRequest::good>("", "A 2xx, no default, within the deadline."),
      field<"cache", &ServedRequest::cache>("", "hit, miss or coalesced, where there is a cache."),
      field<"replica", &ServedRequest::replica>("", "Who answered."),
      field<"attempts", &ServedRequest::attempts>("", "Upstream calls that it was part of."),
  };
};

template <>
struct Schema<ControllerChange> {
  static constexpr std::string_view type = "controller";
  static constexpr std::string_view summary = "A batch controller that changed its mind.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &ControllerChange::t_ns>("ns", "From the start of the run."),
      field<"model", &ControllerChange::model>("", "Model."),
      field<"replica", &ControllerChange::replica>("", "Whose batches."),
      field<"event", &ControllerChange::event>("", "grow, shrink, drift or slo_infeasible."),
      field<"target_rows", &ControllerChange::target_rows>("rows", "Size that it aims at now."),
      field<"alpha_ns_per_row", &ControllerChange::alpha_ns_per_row>("ns/row", "Slope of its latency line."),
      field<"beta_ns", &ControllerChange::beta_ns>("ns", "Intercept of it."),
      field<"share_over", &ControllerChange::share_over>(
          "1", "Share of the last batches that took longer than predicted."),
  };
};

template <>
struct Schema<ServeFault> {
  static constexpr std::string_view type = "fault";
  static constexpr std::string_view summary = "Something that went wrong without ending the server.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &ServeFault::t_ns>("ns", "From the start of the run."),
      field<"model", &ServeFault::model>("", "Model."),
      field<"replica", &ServeFault::replica>("", "Replica."),
      field<"fault", &ServeFault::fault>("", "What: split, upstream, reload, state, internal."),
      field<"note", &ServeFault::note>("", "In words."),
  };
};

template <>
struct Schema<Lost> {
  static constexpr std::string_view type = "lost";
  static constexpr std::string_view summary = "Records that a reader was too slow for.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &Lost::t_ns>("ns", "From the start of the run."),
      field<"records", &Lost::records>("", "How many, since the last of these."),
  };
};

}  // namespace mlq::records
