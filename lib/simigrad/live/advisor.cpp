#include "lib/simigrad/live/advisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "lib/base/error.h"
#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/simigrad_schema.h"
#include "lib/records/stream.h"

namespace mlq::simigrad {
namespace {

constexpr size_t kDepth = 8;

template <class T>
std::string line_of(const T& record) {
  jsonl::Buffer line;
  records::write_record(line, record);
  return std::string(line.view());
}

bool passed_over(std::string_view type) {
  constexpr std::array kTypes = {records::Schema<records::Run>::type, records::Schema<records::End>::type,
                                 records::Schema<records::Estimate>::type,
                                 records::Schema<records::GramTensor>::type,
                                 records::Schema<records::MissingGroup>::type};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

}  // namespace

Advisor::Advisor(const ControlOptions& options, std::optional<uint64_t> batch, DumpReader reader)
    : steering_(options), batch_(batch), reader_(std::move(reader)), parser_(kDepth) {}

Advisor::Reply Advisor::fault(std::string_view code, const std::string& message) {
  records::AdviceFault record;
  if (parsed_) {
    if (const jsonl::Value* step = parser_.find("step")) record.step = step->as_uint64();
    if (const jsonl::Value* incarnation = parser_.find("incarnation"))
      record.incarnation = incarnation->as_uint64();
  }
  record.batch_samples = steering_.started() ? std::optional(steering_.now().batch) : batch_;
  record.code = code;
  record.message = message;
  return {line_of(record), {}, false, code != "stale_step", code == "protocol"};
}

template <class T>
std::optional<Advisor::Reply> Advisor::read(T& record) {
  const records::ReadResult result = records::read_record(parser_.members(), record);
  if (result.ok) return std::nullopt;
  return fault(result.error.starts_with("missing field") ? "missing_field" : "bad_field", result.error);
}

const Advisor::Stored* Advisor::stored(uint64_t incarnation, uint64_t step) const {
  const auto wanted = std::tuple(incarnation, step);
  const auto found = std::lower_bound(
      replies_.begin(), replies_.end(), wanted,
      [](const Stored& s, const auto& key) { return std::tuple(s.incarnation, s.step) < key; });
  return found != replies_.end() && std::tuple(found->incarnation, found->step) == wanted ? &*found : nullptr;
}

Advisor::Reply Advisor::answer_too_long() {
  parsed_ = false;
  return fault("too_long", fmt::format("the line is longer than {} bytes", kLongestRequest));
}

Advisor::Reply Advisor::answer(std::string_view request) {
  parsed_ = parser_.parse_copy(request);
  if (!parsed_) return fault("bad_json", parser_.error());
  const jsonl::Value* type = parser_.find("type");
  if (type == nullptr || type->kind != jsonl::Kind::string)
    return fault(type == nullptr ? "missing_field" : "bad_field",
                 "the request has no \"type\"; it is hello, gram or dump");
  if (type->text == records::Schema<records::Gram>::type) return gram();
  if (type->text == records::Schema<records::Hello>::type) return hello();
  if (type->text == records::Schema<records::Dump>::type) return dump();
  if (passed_over(type->text)) return {};
  return fault("bad_field", fmt::format("\"{:.40}\" is no request; it is hello, gram or dump", type->text));
}

Advisor::Reply Advisor::answer(const records::Dump& request) { return answer(line_of(request)); }

std::optional<std::pair<uint64_t, uint64_t>> Advisor::last_step() const {
  const Steering::State& now = steering_.now();
  return now.any_step ? std::optional(std::pair(incarnation_, now.step)) : std::nullopt;
}

Advisor::Reply Advisor::hello() {
  // Another protocol may have other fields: its number comes first.
  const jsonl::Value* protocol = parser_.find("protocol");
  if (protocol != nullptr && protocol->as_uint64() && *protocol->as_uint64() != kProtocol)
    return fault("protocol", fmt::format("protocol {} is not spoken here; this is {}", *protocol->as_uint64(),
                                         kProtocol));
  records::Hello request;
  if (auto wrong = read(request)) return *wrong;
  if (request.world == 0 || request.micro_samples == 0 || request.batch_samples == 0)
    return fault("bad_field", "world, micro_samples and batch_samples must be at least 1");
  const uint64_t incarnation = request.incarnation.value_or(0);
  if (steering_.started() && incarnation < incarnation_)
    return fault("stale_step",
                 fmt::format("incarnation {} is over; {} is the present one", incarnation, incarnation_));
  Steering::State state;
  if (!steering_.started()) {
    steering_.start(batch_.value_or(request.batch_samples), request.world, request.micro_samples);
    state = steering_.now();
  } else {
    if (incarnation > incarnation_ && request.resume_step && !steering_.rewind(*request.resume_step))
      return fault("bad_field", fmt::format("resume_step {} is further back than the {} steps that are kept",
                                            *request.resume_step, Steering::kKeptSteps));
    steering_.set_workers(request.world, request.micro_samples);
    state = steering_.now();
    if (request.resume_step) state = steering_.after(*request.resume_step).value_or(state);
  }
  incarnation_ = incarnation;
  records::Hello reply;
  reply.protocol = kProtocol;
  reply.world = request.world;
  reply.micro_samples = state.realised.micro;
  reply.batch_samples = state.batch;
  if (state.any_step) reply.resume_step = state.step;
  if (incarnation > 0) reply.incarnation = incarnation;
  reply.accum = state.realised.accum;
  reply.lr_scale = state.lr_scale;
  if (has_target(steering_.options().controller)) reply.gamma = steering_.options().target->gamma();
  reply.min_samples = steering_.min();
  reply.max_samples = steering_.max();
  return {line_of(reply), {}, true, false, false};
}

Advisor::Reply Advisor::gram() {
  records::Gram request;
  if (auto wrong = read(request)) return *wrong;
  take_null_sums(parser_.members(), request);
  return decide(request);
}

Advisor::Reply Advisor::dump() {
  records::Dump request;
  if (auto wrong = read(request)) return *wrong;
  // What was answered is not read again: the files may be gone.
  if (const Stored* before = stored(request.incarnation.value_or(0), request.step))
    return {before->line, {}, false, false, false};
  records::Gram gram;
  try {
    if (!reader_) throw input_error("{}: dumps are not read here", request.path);
    gram = reader_(request);
  } catch (const Error& error) {
    return fault("unreadable_dump", error.what());
  }
  gram.step = request.step;
  gram.incarnation = request.incarnation;
  Reply reply = decide(gram);
  reply.request = line_of(gram);
  reply.request.pop_back();
  return reply;
}

Advisor::Reply Advisor::decide(const records::Gram& request) {
  const uint64_t incarnation = request.incarnation.value_or(0);
  if (const Stored* before = stored(incarnation, request.step))
    return {before->line, {}, false, false, false};
  const Steering::State& now = steering_.now();
  if (incarnation < incarnation_ || (incarnation == incarnation_ && now.any_step && request.step <= now.step))
    return fault("stale_step", fmt::format("step {} of incarnation {} is over; the last is step {} of {}",
                                           request.step, incarnation, now.step, incarnation_));
  Observation observation;
  if (const auto refusal = observe(request, steering_.options().estimating.observation, observation))
    return fault(name_of(refusal->fault), refusal->message);
  if (incarnation > incarnation_ && now.any_step && now.step >= request.step &&
      !(request.step > 0 ? steering_.rewind(request.step - 1) : steering_.restart()))
    return fault("stale_step", fmt::format("step {} is further back than the {} steps that are kept",
                                           request.step, Steering::kKeptSteps));
  if (!steering_.started()) steering_.start(batch_.value_or(observation.batch_samples));
  incarnation_ = incarnation;
  std::string line = line_of(steering_.decide(observation));
  ++decisions_;
  if (replies_.size() == kKeptReplies) replies_.pop_front();
  replies_.push_back({incarnation, request.step, line});
  return {std::move(line), {}, true, false, false};
}

}  // namespace mlq::simigrad
