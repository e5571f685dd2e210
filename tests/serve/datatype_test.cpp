#include "lib/serve/protocol/datatype.h"

#include <gtest/gtest.h>

namespace mlq::serve {
namespace {

TEST(Datatype, NamesAreThoseOfTheProtocol) {
  for (const std::string_view name : {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32",
                                      "INT64", "FP16", "BF16", "FP32", "FP64", "BYTES"}) {
    ASSERT_TRUE(datatype_named(name)) << name;
    EXPECT_EQ(datatype_name(*datatype_named(name)), name);
  }
  EXPECT_FALSE(datatype_named("fp32"));
  EXPECT_FALSE(datatype_named("FP"));
  EXPECT_FALSE(datatype_named(""));
}

TEST(Datatype, SizeIsTheNumberInTheName) {
  EXPECT_EQ(element_bytes(Datatype::boolean), 1u);
  EXPECT_EQ(element_bytes(Datatype::uint16), 2u);
  EXPECT_EQ(element_bytes(Datatype::bf16), 2u);
  EXPECT_EQ(element_bytes(Datatype::int64), 8u);
  EXPECT_EQ(element_bytes(Datatype::fp64), 8u);
  EXPECT_EQ(element_bytes(Datatype::bytes), 0u);
}

TEST(Datatype, HalfPrecisionHasNoFormInJson) {
  EXPECT_FALSE(has_json_form(Datatype::fp16));
  EXPECT_FALSE(has_json_form(Datatype::bf16));
  EXPECT_TRUE(has_json_form(Datatype::fp32));
  EXPECT_TRUE(has_json_form(Datatype::bytes));
}

}  // namespace
}  // namespace mlq::serve
