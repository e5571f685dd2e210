#include "lib/simigrad/estimate/source.h"

#include <array>

#include "lib/base/error.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/estimate/observation.h"

namespace mlq::simigrad {
namespace {

// What else stands in the streams that hold gram records: estimate writes both, a journal has requests and
// replies.
bool may_stand_beside(std::string_view type) {
  constexpr std::array kTypes = {
      records::Schema<records::Estimate>::type,    records::Schema<records::GramTensor>::type,
      records::Schema<records::BatchSize>::type,   records::Schema<records::Hello>::type,
      records::Schema<records::AdviceFault>::type, records::Schema<records::AdviceJournal>::type,
      records::Schema<records::Dump>::type,        records::Schema<records::MissingGroup>::type,
  };
  for (const std::string_view known : kTypes)
    if (type == known) return true;
  return false;
}

}  // namespace

std::string StepOrder::check(const records::Gram& gram) {
  const uint64_t incarnation = gram.incarnation.value_or(0);
  const bool rises =
      !any_ || incarnation > incarnation_ || (incarnation == incarnation_ && gram.step > step_);
  if (!rises)
    return fmt::format("step {} comes after step {}; steps must rise, or incarnation must", gram.step, step_);
  any_ = true;
  incarnation_ = incarnation;
  step_ = gram.step;
  return {};
}

bool RecordSource::next(records::Gram& out) {
  while (reader_.next()) {
    if (reader_.type() != records::Schema<records::Gram>::type) {
      if (!may_stand_beside(reader_.type())) reader_.pass_over();
      continue;
    }
    out = reader_.as<records::Gram>();
    take_null_sums(reader_.members(), out);
    if (const std::string wrong = order_.check(out); !wrong.empty())
      throw input_error("{}: {}", reader_.where(), wrong);
    return true;
  }
  return false;
}

std::vector<records::Gram> read_run(GramSource& source) {
  std::vector<records::Gram> run;
  records::Gram gram;
  while (source.next(gram)) {
    while (!run.empty() && run.back().step >= gram.step) run.pop_back();
    run.push_back(gram);
  }
  return run;
}

}  // namespace mlq::simigrad
