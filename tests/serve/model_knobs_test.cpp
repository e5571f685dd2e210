// The knobs of mlq-model.
#include <gtest/gtest.h>

#include <sstream>

#include "lib/base/io.h"
#include "lib/serve/model/serve_knobs.h"

namespace mlq::serve::model {
namespace {

// The page is prose by hand; what it says of knobs must be what the table says.
TEST(ModelKnobs, AreAllInTheManPageAsTheTableHasThem) {
  const std::string page = read_file(MLQ_SOURCE_DIR "/man/mlq-model.1.in");
  std::istringstream lines(serve_knob_table(Backend::sleep, 64).rows().describe());
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    const std::string entry = ".B " + line.substr(0, colon) + "\n" + line.substr(colon + 2) + "\n";
    EXPECT_NE(page.find(entry), page.npos) << entry;
  }
}

TEST(ModelKnobs, BoundTheThreadsByTheCores) {
  const KnobRows rows = serve_knob_table(Backend::linear, 2).rows();
  auto values = rows.defaults();
  EXPECT_FALSE(rows.patch(R"({"instances":2,"intra_threads":2})", values));
  const auto refused = rows.patch(R"({"instances":3})", values);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 422);
}

TEST(ModelKnobs, OfFaultsAreThoseOfSleepAlone) {
  auto values = serve_knob_table(Backend::noop, 1).rows().defaults();
  EXPECT_TRUE(serve_knob_table(Backend::noop, 1).rows().set("base_ns", "2ms", values));
  const auto table = serve_knob_table(Backend::sleep, 1);
  values = table.rows().defaults();
  EXPECT_FALSE(table.rows().set("base_ns", "2ms", values));
  EXPECT_EQ(table.options(values).base_ns, 2'000'000);
}

}  // namespace
}  // namespace mlq::serve::model
