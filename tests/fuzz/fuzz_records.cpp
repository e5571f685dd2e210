// Every record type: no object breaks its reader; a record that was read and is written reads back to the
// same bytes.
#include "lib/records/arrival.h"
#include "lib/records/codec.h"
#include "lib/records/stream.h"
#include "lib/records/trace.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

template <class T>
void round_trip(std::span<const jsonl::Member> members) {
  T record;
  const auto result = records::read_record(members, record);
  if (!result.ok) {
    MLQ_FUZZ_CLAIM(!result.error.empty());
    return;
  }
  jsonl::Buffer once;
  records::write_record(once, record);
  jsonl::OwnedObject object(once.view().substr(0, once.size() - 1));
  MLQ_FUZZ_CLAIM(object.ok());
  T back;
  MLQ_FUZZ_CLAIM(records::read_record(object.parser().members(), back).ok);
  jsonl::Buffer twice;
  records::write_record(twice, back);
  MLQ_FUZZ_CLAIM(once.view() == twice.view());
}

template <class... T>
void round_trips(std::span<const jsonl::Member> members) {
  (round_trip<T>(members), ...);
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::records;
  mlq::jsonl::OwnedObject object(mlq::fuzz::text_of(data, size));
  if (object.ok()) {
    mlq::fuzz::round_trips<Run, End, Arrival, Bin, RatePoint, TraceStat, Idc, Acf, Qq, Hist, Test, Verdict,
                           Expected>(object.parser().members());
  }
  return 0;
}
