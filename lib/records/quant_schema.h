// Names, units and texts of quant.h's fields.
#pragma once

#include "lib/records/quant.h"

namespace mlq::records {

template <>
struct Schema<Tensor> {
  static constexpr std::string_view type = "tensor";
  static constexpr std::string_view summary = "A tensor of a weight file, and what was done to it.";
  static constexpr auto fields = std::tuple{
      field<"name", &Tensor::name>("", "Its name."),
      field<"file", &Tensor::file>("", "The file that it was read from."),
      field<"shape", &Tensor::shape>("", "Its dimensions, slowest first."),
      field<"dtype", &Tensor::dtype>(
          "", "Element type, as safetensors names it; of a quantized tensor that of its source."),
      field<"elems", &Tensor::elems>("", "Number of elements."),
      field<"size_bytes", &Tensor::size_bytes>("bytes", "Size in that type."),
      field<"format", &Tensor::format>("", "How it is stored: int8, ec, nf4, ...; raw is as it was."),
      field<"bits_per_weight", &Tensor::bits_per_weight>("bits", "All that is stored of it, an element."),
      field<"block", &Tensor::block>("", "Elements with one scale: a number, row or tensor."),
      field<"grid", &Tensor::grid>("", "Of integers: absmax, signed or mse."),
      field<"scale", &Tensor::scale>("", "Type of the scales."),
      field<"step", &Tensor::step>("", "Of ec: distance of neighbouring values, in units of the weights."),
      field<"out_bytes", &Tensor::out_bytes>("bytes", "Size as stored, or as decoded."),
      field<"rms", &Tensor::rms>("", "Root mean square, in units of the weights."),
      field<"absmax", &Tensor::absmax>("", "Largest magnitude, in units of the weights."),
      field<"rmse", &Tensor::rmse>("",
                                   "Root mean square error of the decoded values, in units of the weights."),
      field<"rel_rmse", &Tensor::rel_rmse>("", "rmse over rms."),
      field<"snr_db", &Tensor::snr_db>("dB", "-20 log10 of rel_rmse; none where nothing is lost."),
      field<"bias", &Tensor::bias>("", "Mean error, in units of the weights."),
      field<"max_abs_err", &Tensor::max_abs_err>("", "Largest error, in units of the weights."),
      field<"nonfinite", &Tensor::nonfinite>("", "NaN and infinities that were taken as 0."),
      field<"escapes", &Tensor::escapes>(
          "", "Of ec: elements that no code holds and that are stored as they are."),
      field<"flushed_blocks", &Tensor::flushed_blocks>(
          "", "Blocks that became 0 since their scale is below 2^-126."),
      field<"saturated", &Tensor::saturated>("",
                                             "Decoded values that were cut to the largest of their type."),
      field<"fallback", &Tensor::fallback>("", "Why it was stored as it was."),
      field<"hash_source", &Tensor::hash_source>("", "Hash of the source's bytes."),
      field<"hash_decoded", &Tensor::hash_decoded>("", "Hash of what decodes to the source's type."),
      field<"rate_bytes_per_s", &Tensor::rate_bytes_per_s>(
          "bytes/s", "size_bytes over the computing time of all threads together."),
      field<"ok", &Tensor::ok>("", "Of verify: whether it is as stated and within the budget."),
      field<"note", &Tensor::note>("", "What is wrong with it, or why a number is missing."),
  };
};

template <>
struct Schema<TensorStat> {
  static constexpr std::string_view type = "stats";
  static constexpr std::string_view summary = "How the values of a tensor are distributed.";
  static constexpr auto fields = std::tuple{
      field<"name", &TensorStat::name>("", "Its name."),
      field<"elems", &TensorStat::elems>("", "Number of elements; NaN and infinities count as 0 below."),
      field<"mean", &TensorStat::mean>("", "Mean."),
      field<"std", &TensorStat::std>("", "Standard deviation of the elements (of a population)."),
      field<"kurtosis", &TensorStat::kurtosis>(
          "", "Fourth central moment over the square of the second; 3 if normal."),
      field<"min", &TensorStat::min>("", "Smallest value."),
      field<"max", &TensorStat::max>("", "Largest value."),
      field<"absmax_over_rms", &TensorStat::absmax_over_rms>("",
                                                             "Largest magnitude over the root mean square."),
      field<"nan", &TensorStat::nan>("", "Elements that are NaN."),
      field<"inf", &TensorStat::inf>("", "Infinite elements."),
      field<"zero", &TensorStat::zero>("", "Elements that are 0."),
      field<"subnormal", &TensorStat::subnormal>("", "Subnormal elements."),
      field<"exponent_entropy_bits", &TensorStat::exponent_entropy_bits>(
          "bits", "Entropy of the exponent field: what lossless compression could leave of it."),
  };
};

template <>
struct Schema<ShardFile> {
  static constexpr std::string_view type = "shard";
  static constexpr std::string_view summary = "A file that was written.";
  static constexpr auto fields = std::tuple{
      field<"file", &ShardFile::file>("", "Path."),
      field<"tensors", &ShardFile::tensors>("", "Tensors in it."),
      field<"size_bytes", &ShardFile::size_bytes>("bytes", "Its size."),
      field<"hash", &ShardFile::hash>("", "Hash of the decoded model that it belongs to."),
  };
};

template <>
struct Schema<QuantPlan> {
  static constexpr std::string_view type = "plan";
  static constexpr std::string_view summary =
      "The format that a plan chooses for a tensor; encode --plan obeys it.";
  static constexpr auto fields = std::tuple{
      field<"name", &QuantPlan::name>("", "The tensor."),
      field<"format", &QuantPlan::format>("", "Its format."),
      field<"block", &QuantPlan::block>("", "Elements with one scale: a number, row or tensor."),
      field<"grid", &QuantPlan::grid>("", "Of integers: absmax, signed or mse."),
      field<"scale", &QuantPlan::scale>("", "Type of the scales."),
      field<"step", &QuantPlan::step>("", "Of ec: distance of neighbouring values, in units of the weights."),
      field<"bits_per_weight", &QuantPlan::bits_per_weight>("bits",
                                                            "Estimated on a sample, all planes counted."),
      field<"rel_rmse", &QuantPlan::rel_rmse>("", "Estimated on a sample."),
      field<"snr_db", &QuantPlan::snr_db>("dB", "-20 log10 of rel_rmse; null where nothing is lost."),
      field<"weight", &QuantPlan::weight>("", "What a unit of its squared error counts."),
      field<"slope", &QuantPlan::slope>(
          "", "Weighted squared error that one more bit of the file would have saved."),
  };
};

template <>
struct Schema<Importance> {
  static constexpr std::string_view type = "importance";
  static constexpr std::string_view summary = "What errors of a tensor count, for a plan.";
  static constexpr auto fields = std::tuple{
      field<"name", &Importance::name>("", "The tensor."),
      field<"weight", &Importance::weight>("", "What a unit of its squared error counts."),
  };
};

template <>
struct Schema<Certificate> {
  static constexpr std::string_view type = "certificate";
  static constexpr std::string_view summary = "That a file was read back and found to be what it says.";
  static constexpr auto fields = std::tuple{
      field<"file", &Certificate::file>("", "What was verified."),
      field<"against", &Certificate::against>("", "What it was compared with."),
      field<"source_hash", &Certificate::source_hash>(
          "", "Hash of the model that was encoded, as the file states it."),
      field<"decoded_hash", &Certificate::decoded_hash>("", "Hash of the decoded model, as computed."),
      field<"tensors", &Certificate::tensors>("", "Tensors that were read."),
      field<"worst_tensor", &Certificate::worst_tensor>("", "The quantized tensor with the lowest snr_db."),
      field<"worst_snr_db", &Certificate::worst_snr_db>("dB", "Its signal-to-noise ratio."),
      field<"budget", &Certificate::budget>("", "What every tensor had to meet."),
      field<"ok", &Certificate::ok>("", "Whether all is as stated and within the budget."),
  };
};

template <>
struct Schema<QuantSummary> {
  static constexpr std::string_view type = "quant_summary";
  static constexpr std::string_view summary = "What became of a model.";
  static constexpr auto fields = std::tuple{
      field<"tensors", &QuantSummary::tensors>("", "Tensors of it."),
      field<"quantized", &QuantSummary::quantized>("", "Those that are not stored as they were."),
      field<"resumed", &QuantSummary::resumed>("", "Of encode --resume: those that an earlier run had done."),
      field<"audited_elems", &QuantSummary::audited_elems>(
          "", "Of encode --audit: weights that were encoded twice."),
      field<"in_bytes", &QuantSummary::in_bytes>("bytes", "Size of the tensors that were read."),
      field<"out_bytes", &QuantSummary::out_bytes>("bytes", "Size of the tensors as written, or as decoded."),
      field<"bits_per_weight", &QuantSummary::bits_per_weight>("bits", "Of the quantized tensors together."),
      field<"rel_rmse", &QuantSummary::rel_rmse>("", "Of the quantized tensors together."),
      field<"snr_db", &QuantSummary::snr_db>("dB", "-20 log10 of rel_rmse; none where nothing is lost."),
      field<"worst_tensor", &QuantSummary::worst_tensor>("", "The quantized tensor with the lowest snr_db."),
      field<"worst_snr_db", &QuantSummary::worst_snr_db>("dB", "Its signal-to-noise ratio."),
      field<"source_hash", &QuantSummary::source_hash>("", "Hash of the model that was read."),
      field<"decoded_hash", &QuantSummary::decoded_hash>("", "Hash of the decoded model."),
      field<"duration_ns", &QuantSummary::duration_ns>("ns", "From the first byte to the last."),
      field<"rate_bytes_per_s", &QuantSummary::rate_bytes_per_s>("bytes/s", "in_bytes over duration_ns."),
      field<"peak_rss_bytes", &QuantSummary::peak_rss_bytes>("bytes",
                                                             "Most memory that the process has had."),
      field<"note", &QuantSummary::note>("", "What is wrong, or why a number is missing."),
  };
};

template <>
struct Schema<QuantBench> {
  static constexpr std::string_view type = "bench";
  static constexpr std::string_view summary =
      "How fast an operation is beside a limit measured in the same run.";
  static constexpr auto fields = std::tuple{
      field<"what", &QuantBench::what>("", "kernel, io or gather."),
      field<"kernel", &QuantBench::kernel>("", "The operation."),
      field<"device", &QuantBench::device>("", "cpu, or the name of the device."),
      field<"format", &QuantBench::format>("", "The format."),
      field<"block", &QuantBench::block>("", "Elements with one scale."),
      field<"elems", &QuantBench::elems>("", "Elements of one repetition."),
      field<"moved_bytes", &QuantBench::moved_bytes>(
          "bytes", "Read and written by one repetition, each byte once; of gather: sent."),
      field<"working_set_bytes", &QuantBench::working_set_bytes>("bytes", "Memory that it goes over."),
      field<"reps", &QuantBench::reps>("", "Repetitions."),
      field<"duration_ns", &QuantBench::duration_ns>("ns", "Median time of one."),
      field<"duration_min_ns", &QuantBench::duration_min_ns>("ns", "Shortest time of one."),
      field<"rate_bytes_per_s", &QuantBench::rate_bytes_per_s>("bytes/s", "Source bytes over duration_ns."),
      field<"baseline", &QuantBench::baseline>(
          "", "What it is held against: memcpy, device_copy, read, write or all_gather."),
      field<"baseline_bytes_per_s", &QuantBench::baseline_bytes_per_s>("bytes/s",
                                                                       "Its rate, measured in turn."),
      field<"ratio", &QuantBench::ratio>("", "rate_bytes_per_s over baseline_bytes_per_s."),
  };
};

template <>
struct Schema<TensorDelta> {
  static constexpr std::string_view type = "delta";
  static constexpr std::string_view summary = "What a patch says of a tensor.";
  static constexpr auto fields = std::tuple{
      field<"name", &TensorDelta::name>("", "The tensor."),
      field<"codec", &TensorDelta::codec>(
          "",
          "unchanged; gap, bitmap, xor or, by piece, mixed (of inspect: lossless); delta or key "
          "(with loss); raw (new, of another type or "
          "shape, or very small); removed."),
      field<"elems", &TensorDelta::elems>("", "Number of elements; 0 if it was removed."),
      field<"changed", &TensorDelta::changed>("",
                                              "Words that differ: elements, of types below a byte bytes, of "
                                              "complex numbers halves; none with loss."),
      field<"changed_share", &TensorDelta::changed_share>("", "Of all its words."),
      field<"bits_per_weight", &TensorDelta::bits_per_weight>("bits",
                                                              "All that the patch stores of it, an element."),
      field<"rel_rmse", &TensorDelta::rel_rmse>(
          "", "Root mean square error over root mean square; none if lossless."),
      field<"size_bytes", &TensorDelta::size_bytes>("bytes", "What the patch stores of it."),
      field<"key_frame", &TensorDelta::key_frame>("",
                                                  "Whether it stands on its own, not on the model before."),
  };
};

template <>
struct Schema<Patch> {
  static constexpr std::string_view type = "patch";
  static constexpr std::string_view summary = "A patch from one model to the next.";
  static constexpr auto fields = std::tuple{
      field<"file", &Patch::file>("", "Path."),
      field<"step", &Patch::step>("", "The step that was given."),
      field<"parent_hash", &Patch::parent_hash>("", "Hash of the model that it is for."),
      field<"result_hash", &Patch::result_hash>("", "Hash of the model that it makes."),
      field<"tensors", &Patch::tensors>("", "Tensors of the new model."),
      field<"changed_tensors", &Patch::changed_tensors>("", "Those that changed, are new or were removed."),
      field<"elems", &Patch::elems>("", "Elements of the new model."),
      field<"changed", &Patch::changed>("", "Words that differ; none with loss."),
      field<"changed_share", &Patch::changed_share>("", "Of all words."),
      field<"in_bytes", &Patch::in_bytes>("bytes", "Size of the new model's tensors."),
      field<"out_bytes", &Patch::out_bytes>("bytes", "Size of the patch."),
      field<"ratio", &Patch::ratio>("", "out_bytes over in_bytes."),
      field<"bits_per_weight", &Patch::bits_per_weight>("bits", "Of the whole patch, an element."),
      field<"rel_rmse", &Patch::rel_rmse>("", "Of all tensors with a loss; none if there is none."),
      field<"duration_ns", &Patch::duration_ns>("ns", "From the first byte to the last."),
      field<"rate_bytes_per_s", &Patch::rate_bytes_per_s>("bytes/s", "in_bytes over duration_ns."),
      field<"peak_rss_bytes", &Patch::peak_rss_bytes>("bytes", "Most memory that the process has had."),
  };
};

template <>
struct Schema<ChainLink> {
  static constexpr std::string_view type = "link";
  static constexpr std::string_view summary = "A file of a chain of checkpoints: a whole model, or a patch.";
  static constexpr auto fields = std::tuple{
      field<"step", &ChainLink::step>("",
                                      "The step that it leads to; larger than that of the link before it."),
      field<"kind", &ChainLink::kind>(
          "", "anchor: a whole model; delta: a patch for what the link before it makes."),
      field<"file", &ChainLink::file>("", "Its name in the folder of the chain."),
      field<"size_bytes", &ChainLink::size_bytes>("bytes", "Its size."),
      field<"parent_hash", &ChainLink::parent_hash>("", "Of a delta: hash of the model that it is for."),
      field<"result_hash", &ChainLink::result_hash>("", "Hash of the model at that step."),
      field<"ok", &ChainLink::ok>(
          "", "Of chain --verify: whether its bytes are as stated and it makes that model."),
      field<"note", &ChainLink::note>("", "What is wrong with it."),
  };
};

}  // namespace mlq::records
