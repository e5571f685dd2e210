#include "lib/serve/protocol/datatype.h"

#include <array>

namespace mlq::serve {
namespace {

struct Row {
  std::string_view name;
  uint32_t bytes;
};

// In the order of the enumeration.
constexpr std::array<Row, 14> kTypes{{{"BOOL", 1},
                                      {"UINT8", 1},
                                      {"UINT16", 2},
                                      {"UINT32", 4},
                                      {"UINT64", 8},
                                      {"INT8", 1},
                                      {"INT16", 2},
                                      {"INT32", 4},
                                      {"INT64", 8},
                                      {"FP16", 2},
                                      {"BF16", 2},
                                      {"FP32", 4},
                                      {"FP64", 8},
                                      {"BYTES", 0}}};
static_assert(kTypes.size() == static_cast<size_t>(Datatype::bytes) + 1);

const Row& row(Datatype type) { return kTypes[static_cast<size_t>(type)]; }

}  // namespace

std::optional<Datatype> datatype_named(std::string_view name) {
  for (size_t k = 0; k < kTypes.size(); ++k)
    if (kTypes[k].name == name) return static_cast<Datatype>(k);
  return std::nullopt;
}

std::string_view datatype_name(Datatype type) { return row(type).name; }
uint32_t element_bytes(Datatype type) { return row(type).bytes; }
bool has_json_form(Datatype type) { return type != Datatype::fp16 && type != Datatype::bf16; }

}  // namespace mlq::serve
