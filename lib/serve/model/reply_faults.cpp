#include "lib/serve/model/reply_faults.h"

#include <algorithm>
#include <limits>

#include "lib/base/random.h"

namespace mlq::serve::model {
namespace {

constexpr uint32_t kFaultStream = 2;  // beside those of sleep_time

void shorten(OutputValues& output) {
  uint64_t& rows = output.shape[0];
  if (rows == 0) return;
  std::visit([&](auto& values) { values = values.first(values.size() / rows * (rows - 1)); }, output.values);
  --rows;
}

void put_nan(OutputValues& output, std::vector<double>& values) {
  const auto* const doubles = std::get_if<std::span<const double>>(&output.values);
  if (doubles == nullptr || doubles->empty()) return;
  values.assign(doubles->begin(), doubles->end());
  values[0] = std::numeric_limits<double>::quiet_NaN();
  output.values = std::span<const double>(values);
}

}  // namespace

FaultDraws draw_faults(const ReplyFaults& shares, uint64_t seed, uint64_t request) {
  const RandomStream random(seed, Purpose::service);
  uint32_t draw = 0;
  const auto coin = [&](double share) { return random.uniform(request, draw++, kFaultStream) < share; };
  FaultDraws draws;
  draws.error = coin(shares.error_share);
  draws.wrong_rows = coin(shares.wrong_rows_share);
  draws.drop_output = coin(shares.drop_output_share);
  draws.swap_outputs = coin(shares.swap_outputs_share);
  draws.nan = coin(shares.nan_share);
  draws.trickle = coin(shares.trickle_share);
  draws.reset = coin(shares.reset_share);
  return draws;
}

void spoil(const FaultDraws& draws, std::vector<OutputValues>& outputs, ParsedRequest& request,
           std::vector<double>& values) {
  if (draws.nan) put_nan(outputs.back(), values);
  if (draws.wrong_rows) std::for_each(outputs.begin(), outputs.end(), shorten);
  if (draws.swap_outputs) {
    std::reverse(outputs.begin(), outputs.end());
    std::reverse(request.outputs.begin(), request.outputs.end());
  }
  if (!draws.drop_output || outputs.size() < 2) return;
  if (request.outputs.size() == 1) return;  // an answer without any would be for all
  const std::string_view gone = outputs.back().name;
  outputs.pop_back();
  std::erase_if(request.outputs, [&](const RequestedOutput& output) { return output.name == gone; });
}

}  // namespace mlq::serve::model
