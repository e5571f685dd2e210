#include "lib/serve/gateway/metadata.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace mlq::serve {
namespace {

Metadata with(std::string_view inputs, std::string_view outputs) {
  return read_metadata(fmt::format(R"({{"name":"m","inputs":[{}],"outputs":[{}]}})", inputs, outputs));
}

constexpr std::string_view kOpen = R"({"name":"x","datatype":"FP32","shape":[-1,4]})";
constexpr std::string_view kClosed = R"({"name":"z","datatype":"FP32","shape":[1,4]})";

TEST(ServeMetadata, RowsAreOpenIfEveryTensorSaysSo) {
  const Metadata open = with(kOpen, kOpen);
  EXPECT_TRUE(open.known && open.open_rows);
  ASSERT_EQ(open.outputs.size(), 1u);
  EXPECT_EQ(open.outputs[0].name, "x");
  for (const Metadata& closed : {with(kClosed, kOpen), with(kOpen, fmt::format("{},{}", kOpen, kClosed))}) {
    EXPECT_TRUE(closed.known);
    EXPECT_FALSE(closed.open_rows);
    EXPECT_NE(closed.why_not.find("\"z\" has no -1"), std::string::npos) << closed.why_not;
  }
}

// MLServer says this of scikit-learn's models.
TEST(ServeMetadata, WithoutTensorsSayNothingOfRows) {
  for (const Metadata& none : {with("", ""), with(kOpen, ""), with("", kOpen)}) {
    EXPECT_TRUE(none.known);
    EXPECT_FALSE(none.open_rows);
    EXPECT_NE(none.why_not.find("say \"batchable\": \"yes\""), std::string::npos) << none.why_not;
  }
}

TEST(ServeMetadata, AreNotEveryJsonObject) {
  EXPECT_FALSE(read_metadata("[]").known);
  EXPECT_FALSE(read_metadata(R"({"error":"no such model"})").known);
  EXPECT_FALSE(with(R"({"name":"x"})", kOpen).known);
}

}  // namespace
}  // namespace mlq::serve
