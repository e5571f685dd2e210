// The list of tensors of another rank: refused with a message, or it is written as it was read.
#include "lib/gather/joint.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {

void check(std::string_view input) {
  const auto bytes = std::as_bytes(std::span(input));
  gather::ShardList list;
  try {
    list = gather::parse_list(bytes, "rank 0");
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() == ExitKind::input);
    return;
  }
  const std::vector<std::byte> written = gather::list_bytes(list);
  MLQ_FUZZ_CLAIM(std::equal(written.begin(), written.end(), bytes.begin(), bytes.end()));
  for (const gather::Joining joining :
       {gather::Joining::joined, gather::Joining::sliced, gather::Joining::flat}) {
    try {
      const auto tensors =
          gather::join_shards(joining, {list, list}, list, 64, [](const auto&) { return true; });
      for (const gather::JointTensor& tensor : tensors) {
        uint64_t next = 0;
        for (const gather::Share& share : tensor.shares) {
          MLQ_FUZZ_CLAIM(share.first == next);
          next += share.count;
        }
        MLQ_FUZZ_CLAIM(next == tensor.info.elems);
      }
    } catch (const Error& error) {
      MLQ_FUZZ_CLAIM(error.kind() == ExitKind::input);
    }
  }
}

}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mlq::fuzz::check(mlq::fuzz::text_of(data, size));
  return 0;
}
