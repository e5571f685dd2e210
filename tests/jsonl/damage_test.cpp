#include "lib/jsonl/damage.h"

#include <gtest/gtest.h>

#include "lib/jsonl/object.h"

namespace mlq::jsonl {
namespace {

TEST(Damage, IsWhereTheTextStopsBeingJson) {
  EXPECT_EQ(damage_place("{\"a\":1,\n \"b\" 2}"), " at line 2, character 6");
  EXPECT_EQ(damage_place("{\"a\":[1,2,]}"), " at line 1, character 11");
  EXPECT_EQ(damage_place("{'a':1}"), " at line 1, character 2");
  EXPECT_EQ(damage_place("{\"a\":1} x"), " at line 1, character 9");
  EXPECT_EQ(damage_place("{\"a\":\"b\n\"}"), " at line 1, character 6") << "the text that is not closed";
  EXPECT_EQ(damage_place("{\"a\":1"), ": it ends too early");
  EXPECT_EQ(damage_place(""), ": it ends too early");
  EXPECT_EQ(damage_place(std::string(100'000, '[')), " at line 1, character 1001");
}

TEST(Damage, IsNowhereInWhatTheParserTakes) {
  for (const char* good :
       {"{}", " {\"a\":[], \"b\":{\"c\":[{}, -1.5e3, true, false, null]}} \n", "{\"a\":\"\\\"\\\\\"}"}) {
    EXPECT_TRUE(OwnedObject(good).ok()) << good;
    EXPECT_EQ(damage_place(good), "") << good;
  }
}

}  // namespace
}  // namespace mlq::jsonl
