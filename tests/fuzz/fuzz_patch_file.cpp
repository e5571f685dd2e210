// A file that says it is a patch, for a model that is known: refused with a message, or all of the model that
// it makes can be read. What its own hashes would find at once is let through, since a forger could write
// them anew.
#include <semaphore>

#include "lib/patch/patched_model.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_source.h"

namespace mlq::fuzz {
namespace {

using namespace mlq::tensorfile;

// Far more than the model has; patches may claim it of tensors that they store.
constexpr uint64_t kMostBytes = uint64_t{8} << 20;

// The model that the corpus was made for: byte i of it is i * 7 % 64.
const std::string& base_bytes() {
  static const std::string bytes = [] {
    const std::string header =
        R"({"w":{"dtype":"BF16","shape":[40,40],"data_offsets":[0,3200]},"v":{"dtype":"U8","shape":[300],"data_offsets":[3200,3500]},"f":{"dtype":"F32","shape":[500],"data_offsets":[3500,5500]}})";
    std::string all(1, static_cast<char>(header.size()));
    all.append(7, '\0').append(header);
    for (int i = 0; i < 5500; ++i) all += static_cast<char>(i * 7 % 64);
    return all;
  }();
  return bytes;
}

void read_all(const patch::Model& model) {
  std::counting_semaphore<> slots(1);
  quant::Worker worker;
  worker.computing = &slots;
  std::vector<std::byte> piece;
  for (size_t i = 0; i < model.layout().tensors.size(); ++i) {
    const TensorInfo& tensor = model.layout().tensors[i];
    for (uint64_t k = 0; k < patch::piece_count(tensor); ++k) {
      model.read(i, k, worker, piece);
      MLQ_FUZZ_CLAIM(piece.size() == patch::piece_range(tensor, k).count);
    }
  }
}

}  // namespace

void check(std::string_view input) {
  const std::string bytes(input);
  const Source source = source_of(base_bytes());
  const patch::SourceModel base(source);
  try {
    const patch::PatchFile patch(source_of(bytes));
    if (patch.layout().tensor_bytes() > kMostBytes) return;
    const patch::PatchedModel model(base, std::nullopt, {&patch});
    read_all(model);
    const patch::PatchedModel twice(base, std::nullopt, {&patch, &patch});
    read_all(twice);
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() == ExitKind::input);
  }
}

}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mlq::fuzz::check(mlq::fuzz::text_of(data, size));
  return 0;
}
