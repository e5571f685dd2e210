// Names, units and texts of simigrad.h's fields.
#pragma once

#include "lib/records/schema.h"
#include "lib/records/simigrad.h"

namespace mlq::records {

template <>
struct Schema<GramSums> {
  static constexpr auto fields = std::tuple{
      field<"step", &GramSums::step>("", "Optimizer step."),
      field<"batch_samples", &GramSums::batch_samples>("samples", "Samples behind the whole step."),
      field<"groups", &GramSums::groups>(
          "", "Number K of disjoint groups of samples; 1 to 32 with gram, any number with the norms."),
      field<"incarnation", &GramSums::incarnation>("", "Restarts of the trainer before; without it, 0."),
      field<"group_samples", &GramSums::group_samples>(
          "samples", "Samples of each group where they differ; their sum is batch_samples."),
      field<"gram", &GramSums::gram>(
          "",
          "Inner products of the group mean gradients: the lower triangle by rows, M00 M10 M11 M20 ...; none "
          "if a gradient was not finite."),
      field<"norm_sq_sum", &GramSums::norm_sq_sum>(
          "", "In place of gram: sum of the squared norms of the group mean gradients."),
      field<"mean_norm_sq", &GramSums::mean_norm_sq>(
          "", "In place of gram: squared norm of the mean of the group mean gradients."),
      field<"between_ss", &GramSums::between_ss>(
          "samples",
          "Sum over the groups of their samples times the squared distance of their gradient from the mean, "
          "summed directly; else it is derived from gram."),
      field<"loss_scale", &GramSums::loss_scale>("", "What the gradients were multiplied by; without it, 1."),
      field<"loss", &GramSums::loss>("", "Training loss of the step."),
      field<"lr", &GramSums::lr>("", "Learning rate of the step."),
      field<"consumed_samples", &GramSums::consumed_samples>(
          "samples", "Samples before this step; without it, summed from the records."),
      field<"params", &GramSums::params>("", "Elements of a gradient."),
      field<"tensors", &GramSums::tensors>("", "Tensors of a gradient."),
      field<"nonfinite", &GramSums::nonfinite>("", "Elements that are NaN or infinite."),
      field<"zero_groups", &GramSums::zero_groups>("", "Groups whose gradient is 0."),
      field<"dtype", &GramSums::dtype>("", "Element type of the gradients."),
      field<"sum", &GramSums::sum>("", "How the sums were made: f64-16x64x64 is the fixed tree of mlq."),
      field<"source", &GramSums::source>("", "Where the gradients came from: a path, or hook."),
      field<"biased", &GramSums::biased>("", "True if the groups were measured at different weights."),
      field<"note", &GramSums::note>("", "Why a value is missing, and warnings."),
  };
};

template <>
struct Schema<Gram> {
  static constexpr std::string_view type = "gram";
  static constexpr std::string_view summary =
      "What a step's gradients are reduced to; every estimate and every decision comes from these.";
  static constexpr auto fields = Schema<GramSums>::fields;
};

template <>
struct Schema<GramTensor> {
  static constexpr std::string_view type = "gram_tensor";
  static constexpr std::string_view summary = "The same of one tensor (--per tensor).";
  static constexpr auto fields =
      std::tuple_cat(std::tuple{field<"tensor", &GramTensor::tensor>("", "Its name.")}, Schema<Gram>::fields);
};

template <>
struct Schema<Estimate> {
  static constexpr std::string_view type = "estimate";
  static constexpr std::string_view summary = "What the steps so far say of the gradient's noise.";
  static constexpr auto fields = std::tuple{
      field<"step", &Estimate::step>("", "Optimizer step."),
      field<"batch_samples", &Estimate::batch_samples>("samples", "Samples behind the step."),
      field<"groups", &Estimate::groups>("", "Groups of the step."),
      field<"status", &Estimate::status>(
          "",
          "ok, warming (too few steps for an interval yet) or skipped (this step says nothing; the values "
          "are those before it)."),
      field<"incarnation", &Estimate::incarnation>("", "Restarts of the trainer before; without it, 0."),
      field<"cos", &Estimate::cos>("", "Cosine of the gradients of this step's two halves."),
      field<"rho", &Estimate::rho>(
          "", "Smoothed similarity of two halves of batch_samples: 1 / (1 + 2 B_simple / batch)."),
      field<"rho_lo", &Estimate::rho_lo>("", "Lower end of its interval."),
      field<"rho_hi", &Estimate::rho_hi>("", "Upper end of it."),
      field<"grad_sq", &Estimate::grad_sq>(
          "", "Smoothed unbiased estimate of the squared norm of the true gradient; may be negative."),
      field<"trace_cov", &Estimate::trace_cov>(
          "samples", "Smoothed unbiased estimate of the trace of the covariance of a sample's gradient."),
      field<"b_simple_samples", &Estimate::b_simple_samples>(
          "samples", "Gradient noise scale: trace_cov / grad_sq; null while grad_sq is not positive."),
      field<"b_simple_lo_samples", &Estimate::b_simple_lo_samples>("samples",
                                                                   "Lower end of its interval (Fieller)."),
      field<"b_simple_hi_samples", &Estimate::b_simple_hi_samples>(
          "samples", "Upper end; null if the data sets no upper limit."),
      field<"confidence", &Estimate::confidence>("", "Level of the intervals."),
      field<"n_eff", &Estimate::n_eff>("", "Steps that count, by their weights: 1 / sum of squared weights."),
      field<"d_eff", &Estimate::d_eff>(
          "", "Effective dimension of the noise, from the scatter of trace_cov between steps."),
      field<"gain", &Estimate::gain>("", "AdaScale's gain of this batch against --base-batch."),
      field<"efficiency", &Estimate::efficiency>(
          "", "Statistical efficiency (Pollux) of this batch against --base-batch."),
      field<"theta", &Estimate::theta>("", "The norm test's theta that this batch just meets."),
      field<"diversity", &Estimate::diversity>(
          "", "Gradient diversity times samples, as the noise scale has it."),
      field<"note", &Estimate::note>("", "Why a value is missing, and warnings."),
  };
};

template <>
struct Schema<BatchSize> {
  static constexpr std::string_view type = "batch_size";
  static constexpr std::string_view summary = "A decision: the batch for the steps after this one.";
  static constexpr auto fields = std::tuple{
      field<"step", &BatchSize::step>("", "The step whose gradients decided."),
      field<"batch_samples", &BatchSize::batch_samples>("samples", "Batch for the next step."),
      field<"prev_samples", &BatchSize::prev_samples>("samples", "Batch of this step."),
      field<"lr_scale", &BatchSize::lr_scale>(
          "", "What to multiply the learning rate of the base batch by, for the next step only."),
      field<"wanted_samples", &BatchSize::wanted_samples>("samples",
                                                          "What the controller asked for, before limits."),
      field<"clamped", &BatchSize::clamped>(
          "",
          "The last limit that changed it: none, min, max, step, multiple, cooldown, ci, warming or hold."),
      field<"incarnation", &BatchSize::incarnation>("", "Restarts of the trainer before; without it, 0."),
      field<"micro_samples", &BatchSize::micro_samples>("samples", "Micro-batch of a worker."),
      field<"accum", &BatchSize::accum>("", "Micro-batches that a worker accumulates."),
      field<"controller", &BatchSize::controller>("", "Who decided."),
      field<"gamma", &BatchSize::gamma>("", "Target: cosine of two halves of the whole batch."),
      field<"rho", &BatchSize::rho>("", "What it was held against."),
      field<"b_simple_samples", &BatchSize::b_simple_samples>("samples", "Noise scale at the time."),
      field<"note", &BatchSize::note>("", "Why there was nothing to decide from, and warnings."),
  };
};

template <>
struct Schema<ScheduleSegment> {
  static constexpr std::string_view type = "schedule_segment";
  static constexpr std::string_view summary = "A stretch of training with one batch size.";
  static constexpr auto fields = std::tuple{
      field<"index", &ScheduleSegment::index>("", "Number of the segment, from 0."),
      field<"from_step", &ScheduleSegment::from_step>("", "Steps before it."),
      field<"from_samples", &ScheduleSegment::from_samples>("samples", "Samples before it."),
      field<"batch_samples", &ScheduleSegment::batch_samples>("samples", "Its batch."),
      field<"lr_scale", &ScheduleSegment::lr_scale>(
          "", "What to multiply the learning rate of the base batch by."),
      field<"from_tokens", &ScheduleSegment::from_tokens>("tokens", "Tokens before it (--seq-length)."),
      field<"micro_samples", &ScheduleSegment::micro_samples>("samples", "Micro-batch of a worker."),
      field<"accum", &ScheduleSegment::accum>("", "Micro-batches that a worker accumulates."),
  };
};

template <>
struct Schema<BatchSchedule> {
  static constexpr std::string_view type = "schedule";
  static constexpr std::string_view summary = "A batch-size schedule as a whole.";
  static constexpr auto fields = std::tuple{
      field<"controller", &BatchSchedule::controller>("", "Who decided."),
      field<"gamma", &BatchSchedule::gamma>(
          "", "Target: cosine of two halves of the batch; null where the controller has none."),
      field<"theta", &BatchSchedule::theta>("", "The same as the norm test's theta."),
      field<"kappa", &BatchSchedule::kappa>("", "The same as batch over noise scale."),
      field<"avg_batch_samples", &BatchSchedule::avg_batch_samples>("samples", "samples over steps."),
      field<"compaction_error", &BatchSchedule::compaction_error>(
          "", "Mean of |ln of the decided over the scheduled batch| over the samples."),
      field<"segments", &BatchSchedule::segments>("", "Segments that it has."),
      field<"steps", &BatchSchedule::steps>("", "Optimizer steps."),
      field<"samples", &BatchSchedule::samples>("samples", "Samples consumed."),
      field<"note", &BatchSchedule::note>("", "What else should be known."),
  };
};

template <>
struct Schema<Emission> {
  static constexpr std::string_view type = "emission";
  static constexpr std::string_view summary = "A schedule in the syntax of a trainer.";
  static constexpr auto fields = std::tuple{
      field<"dialect", &Emission::dialect>("", "megatron, deepspeed, lightning or csv."),
      field<"for_version", &Emission::for_version>("", "Whom it is written for."),
      field<"text", &Emission::text>("", "The text itself."),
      field<"note", &Emission::note>("", "How it is to be used, and what was rounded."),
  };
};

template <>
struct Schema<Pareto> {
  static constexpr std::string_view type = "pareto";
  static constexpr std::string_view summary = "What training would have taken under another policy.";
  static constexpr auto fields = std::tuple{
      field<"controller", &Pareto::controller>("", "The policy."),
      field<"gamma", &Pareto::gamma>("", "Its target; null where it has none."),
      field<"avg_batch_samples", &Pareto::avg_batch_samples>("samples", "samples over steps."),
      field<"steps", &Pareto::steps>("", "Optimizer steps to the progress that was recorded."),
      field<"samples", &Pareto::samples>("samples", "Samples to the same progress."),
      field<"wall_ns", &Pareto::wall_ns>("ns", "Time, by --step-time; null without it."),
      field<"dominated", &Pareto::dominated>(
          "", "Another point takes no more steps and no more samples, and fewer of one."),
      field<"in_budget", &Pareto::in_budget>("", "Whether it is within --budget."),
      field<"predicted", &Pareto::predicted>("", "True: this is a model's prediction, nothing was trained."),
      field<"note", &Pareto::note>("", "What else should be known."),
  };
};

template <>
struct Schema<Dump> {
  static constexpr std::string_view type = "dump";
  static constexpr std::string_view summary =
      "A file, or folder, of gradients. To follow, step and path alone are a request.";
  static constexpr auto fields = std::tuple{
      field<"step", &Dump::step>("", "Optimizer step."),
      field<"path", &Dump::path>("", "File, or folder of a step."),
      field<"incarnation", &Dump::incarnation>("", "Restarts of the trainer before; without it, 0."),
      field<"group", &Dump::group>("", "Group of samples, from 0."),
      field<"shard", &Dump::shard>("", "Shard of the group's gradient, from 0."),
      field<"samples", &Dump::samples>("samples", "Samples of the group."),
      field<"tensors", &Dump::tensors>("", "Tensors in it."),
      field<"params", &Dump::params>("", "Elements in it."),
      field<"size_bytes", &Dump::size_bytes>("bytes", "Size of the tensors."),
      field<"stored_bytes", &Dump::stored_bytes>("bytes", "Size of what is stored for them."),
      field<"format", &Dump::format>("", "safetensors, npy, raw or pt."),
      field<"dtype", &Dump::dtype>("", "Element type."),
      field<"xxh3", &Dump::xxh3>("", "XXH3-128 of the file, in hexadecimal (--checksum)."),
      field<"complete", &Dump::complete>("", "Whether its own format says that it is whole."),
      field<"note", &Dump::note>("", "What is wrong with it."),
  };
};

template <>
struct Schema<DumpTensor> {
  static constexpr std::string_view type = "dump_tensor";
  static constexpr std::string_view summary = "A tensor of a gradient dump (inspect --list).";
  static constexpr auto fields = std::tuple{
      field<"path", &DumpTensor::path>("", "The file."),
      field<"tensor", &DumpTensor::tensor>("", "Its name."),
      field<"dtype", &DumpTensor::dtype>("", "Element type."),
      field<"shape", &DumpTensor::shape>("", "Its dimensions, slowest first."),
      field<"offset_bytes", &DumpTensor::offset_bytes>("bytes", "Where its data begins in the file."),
      field<"size_bytes", &DumpTensor::size_bytes>("bytes", "Size of its elements."),
      field<"storage_shared", &DumpTensor::storage_shared>("",
                                                           "True if other tensors lie in the same storage."),
  };
};

template <>
struct Schema<MissingGroup> {
  static constexpr std::string_view type = "missing";
  static constexpr std::string_view summary = "A group's gradient never came; the step is skipped.";
  static constexpr auto fields = std::tuple{
      field<"step", &MissingGroup::step>("", "The step."),
      field<"group", &MissingGroup::group>("", "The group."),
      field<"waited_ns", &MissingGroup::waited_ns>("ns", "How long it was waited for."),
      field<"incarnation", &MissingGroup::incarnation>("", "Restarts of the trainer before; without it, 0."),
      field<"note", &MissingGroup::note>("", "What is there instead."),
  };
};

template <>
struct Schema<Hello> {
  static constexpr std::string_view type = "hello";
  static constexpr std::string_view summary =
      "First request of a trainer to mlq-simigrad follow, and the reply to it.";
  static constexpr auto fields = std::tuple{
      field<"protocol", &Hello::protocol>("", "Version of the protocol: 1."),
      field<"world", &Hello::world>("", "Data-parallel workers."),
      field<"micro_samples", &Hello::micro_samples>("samples", "Micro-batch of a worker."),
      field<"batch_samples", &Hello::batch_samples>(
          "samples", "Batch that the trainer would begin with; in the reply, the one to begin with."),
      field<"resume_step", &Hello::resume_step>(
          "",
          "Last step that the trainer has behind it; with a higher incarnation, later steps are void. In the "
          "reply, the last step that was answered."),
      field<"incarnation", &Hello::incarnation>("", "Restarts of the trainer before; without it, 0."),
      field<"accum", &Hello::accum>("", "Reply: micro-batches that a worker accumulates."),
      field<"lr_scale", &Hello::lr_scale>("", "Reply: as in batch_size."),
      field<"gamma", &Hello::gamma>("", "Reply: target, where the controller has one."),
      field<"min_samples", &Hello::min_samples>("samples", "Reply: smallest batch."),
      field<"max_samples", &Hello::max_samples>("samples", "Reply: largest batch."),
  };
};

template <>
struct Schema<AdviceFault> {
  static constexpr std::string_view type = "simigrad_fault";
  static constexpr std::string_view summary = "Reply to a request that was refused; the batch stays.";
  static constexpr auto fields = std::tuple{
      field<"step", &AdviceFault::step>("", "Step of the request, where it could be read."),
      field<"incarnation", &AdviceFault::incarnation>("", "Restarts of the trainer before; without it, 0."),
      field<"batch_samples", &AdviceFault::batch_samples>("samples",
                                                          "The batch to keep, where one is known."),
      field<"code", &AdviceFault::code>(
          "",
          "bad_json, bad_field, missing_field, group_mismatch, stale_step, too_long, unreadable_dump or "
          "protocol."),
      field<"message", &AdviceFault::message>("", "What is wrong, in words."),
  };
};

template <>
struct Schema<AdviceJournal> {
  static constexpr std::string_view type = "journal";
  static constexpr std::string_view summary =
      "First line of a --state file of mlq-simigrad follow; requests and replies come after it.";
  static constexpr auto fields = std::tuple{
      field<"protocol", &AdviceJournal::protocol>("", "Version of the protocol."),
      field<"version", &AdviceJournal::version>("", "Version of the program."),
      field<"options", &AdviceJournal::options>("", "Options that change decisions, in a fixed order."),
  };
};

}  // namespace mlq::records
