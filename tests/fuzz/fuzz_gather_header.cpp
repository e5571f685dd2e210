// The header of what a rank sends: refused with a message, or it is as this rank would have written it.
#include <algorithm>
#include <cstring>

#include "lib/gather/wire.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {

void check(std::string_view input) {
  const gather::Settings settings;
  const gather::Frame frame{7, false, false};
  const auto bytes = std::as_bytes(std::span(input));
  try {
    const uint64_t room = std::max(bytes.size(), sizeof(gather::WireHeader)) - sizeof(gather::WireHeader);
    const gather::WireHeader header = gather::parse_header(bytes, room, settings, frame, "rank 0");
    gather::WireHeader expected = gather::make_header(settings, frame, header.rank, header.ranks);
    expected.elems = header.elems;
    expected.payload_bytes = header.payload_bytes;
    expected.digest = header.digest;
    MLQ_FUZZ_CLAIM(std::memcmp(&expected, bytes.data(), sizeof expected) == 0);
    MLQ_FUZZ_CLAIM(header.rank < header.ranks);
    MLQ_FUZZ_CLAIM(header.payload_bytes <= room);
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() == ExitKind::input);
  }
}

}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mlq::fuzz::check(mlq::fuzz::text_of(data, size));
  return 0;
}
