// Names, units and texts of gather.h's fields.
#pragma once

#include "lib/records/gather.h"
#include "lib/records/schema.h"

namespace mlq::records {

template <>
struct Schema<GatherStep> {
  static constexpr std::string_view type = "gather";
  static constexpr std::string_view summary = "A gather of weights between ranks, as one of them saw it.";
  static constexpr auto fields = std::tuple{
      field<"step", &GatherStep::step>("", "Number of the step."),
      field<"rank", &GatherStep::rank>("", "Whose times these are."),
      field<"ranks", &GatherStep::ranks>("", "How many ranks there are."),
      field<"transport", &GatherStep::transport>("",
                                                 "What carried the weights: MPI, NCCL, in process or none."),
      field<"mode", &GatherStep::mode>("", "How the noise is cancelled: none, delta, residual or dither:N."),
      field<"bits", &GatherStep::bits>("bits", "Of a code; key frames may have others."),
      field<"block", &GatherStep::block>("", "Elements with one scale."),
      field<"elems", &GatherStep::elems>("", "Elements of all tensors."),
      field<"wire_bytes", &GatherStep::wire_bytes>("bytes",
                                                   "Of the all-gather, headers and padding counted, all "
                                                   "ranks together."),
      field<"bf16_bytes", &GatherStep::bf16_bytes>("bytes",
                                                   "Of the same weights as bfloat16; tensors that are not "
                                                   "quantised as they are."),
      field<"encode_ns", &GatherStep::encode_ns>("ns", "Time of encoding; what is ready is sent meanwhile."),
      field<"comm_ns", &GatherStep::comm_ns>("ns",
                                             "Time of all messages, from the first that is sent while "
                                             "encoding; waiting for other ranks counted."),
      field<"decode_ns", &GatherStep::decode_ns>("ns", "Time of applying what arrived."),
      field<"bus_bytes_per_s", &GatherStep::bus_bytes_per_s>(
          "bytes/s", "wire_bytes that came from other ranks, over comm_ns."),
      field<"key_frame", &GatherStep::key_frame>("", "Whether the frame did not depend on what was held."),
      field<"rekey_reason", &GatherStep::rekey_reason>(
          "", "Why: start, every, error, payload, hash, shapes or no state."),
      field<"rel_rmse", &GatherStep::rel_rmse>(
          "", "Root mean square error of the quantised tensors over their root mean square."),
      field<"state_hash", &GatherStep::state_hash>("",
                                                   "Hash of what every rank holds, where it was compared."),
  };
};

template <>
struct Schema<SimulatedGather> {
  static constexpr std::string_view type = "simulate";
  static constexpr std::string_view summary = "What a way of gathering would do to a tensor.";
  static constexpr auto fields = std::tuple{
      field<"name", &SimulatedGather::name>("", "The tensor."),
      field<"mode", &SimulatedGather::mode>("", "none, stochastic, dither, residual or delta."),
      field<"bits", &SimulatedGather::bits>("bits", "Of a code."),
      field<"block", &SimulatedGather::block>("", "Elements with one scale."),
      field<"grid", &SimulatedGather::grid>("", "How the scale is chosen: absmax, signed or mse."),
      field<"update_ratio", &SimulatedGather::update_ratio>(
          "", "Root mean square of one step's update over that of the weights."),
      field<"steps", &SimulatedGather::steps>("", "Number of gathers."),
      field<"inst_rel_rmse", &SimulatedGather::inst_rel_rmse>(
          "", "Relative error of one gather, over the last quarter of them."),
      field<"mean_rel_rmse", &SimulatedGather::mean_rel_rmse>("",
                                                              "Relative error of the mean of all gathers."),
      field<"predicted_rel_rmse", &SimulatedGather::predicted_rel_rmse>("",
                                                                        "What the law says of "
                                                                        "inst_rel_rmse."),
      field<"rel_bias", &SimulatedGather::rel_bias>(
          "", "Mean error of one gather, with its sign, over the root mean square of the weights."),
      field<"safe", &SimulatedGather::safe>(
          "", "Whether inst_rel_rmse is within the tolerance and does not grow with the steps."),
  };
};

}  // namespace mlq::records
