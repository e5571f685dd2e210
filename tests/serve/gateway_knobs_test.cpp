#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "lib/serve/gateway/model_knobs.h"

namespace mlq::serve {
namespace {

// The page is prose by hand; what it says of knobs must be what the table says.
TEST(ServeKnobs, AreAllInTheManPageAsTheTableHasThem) {
  std::ifstream file(MLQ_SOURCE_DIR "/man/mlq-serve.1.in");
  std::stringstream page;
  page << file.rdbuf();
  std::istringstream lines(model_knob_rows().describe());
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    const std::string entry = ".B " + line.substr(0, colon) + "\n" + line.substr(colon + 2) + "\n";
    EXPECT_NE(page.str().find(entry), std::string::npos) << entry;
  }
}

TEST(ServeKnobs, DefaultsAreThoseOfTheStruct) {
  EXPECT_EQ(model_knob_table().options(model_knob_rows().defaults()), ModelKnobs{});
}

}  // namespace
}  // namespace mlq::serve
