#include "lib/serve/control/knobs.h"

#include <gtest/gtest.h>

#include "lib/jsonl/object.h"

namespace mlq::serve {
namespace {

enum class Colour : uint8_t { red, green };
struct Options {
  uint32_t rows = 64;
  int64_t wait_ns = 2'000'000;
  double share = 0.5;
  bool admit = true;
  Colour colour = Colour::green;
  int64_t step_ns = 0;
  bool operator==(const Options&) const = default;
};

KnobTable<Options> table() {
  KnobTable<Options> t;
  Knob wait = int_knob("wait_ns", 0, 1'000'000'000, "How long.");
  wait.unit = KnobUnit::ns;
  Knob step = list_knob("step_ns", {int64_t{0}, int64_t{100'000}}, "Which step.");
  step.unit = KnobUnit::ns;
  step.tunable = false;
  Knob share = real_knob("share", 0, 1, "How much.");
  share.when = "admit";
  t.add(&Options::rows, log_int_knob("max_rows", 1, 4096, "How many."));
  t.add(&Options::wait_ns, wait);
  t.add(&Options::share, share);
  t.add(&Options::admit, bool_knob("admit", "Whether."));
  t.add(&Options::colour, list_knob("colour", {std::string("red"), std::string("green")}, "Which."));
  t.add(&Options::step_ns, step);
  t.require("max_rows * share <= 1000", [](const Options& o) { return o.rows * o.share <= 1000; });
  return t;
}

class Knobs : public testing::Test {
 protected:
  Options patched(std::string_view json, Options from = {}) {
    std::vector<KnobValue> values = table_.values(from);
    refusal_ = rows_.patch(json, values);
    return table_.options(values);
  }
  KnobTable<Options> table_ = table();
  KnobRows rows_ = table_.rows();
  std::optional<KnobRefusal> refusal_;
};

TEST_F(Knobs, APatchChangesWhatItNames) {
  const Options o = patched(R"({"max_rows":128,"share":1,"admit":false,"colour":"red","step_ns":100000})");
  EXPECT_FALSE(refusal_);
  EXPECT_EQ(o, (Options{128, 2'000'000, 1.0, false, Colour::red, 100'000}));
}

TEST_F(Knobs, NullIsTheDefault) { EXPECT_EQ(patched(R"({"max_rows":null})", {.rows = 7}).rows, 64u); }

TEST_F(Knobs, NumbersMayBeTextWithAUnit) {
  EXPECT_EQ(patched(R"({"wait_ns":"1.5ms"})").wait_ns, 1'500'000);
  EXPECT_EQ(patched(R"({"wait_ns":"7"})").wait_ns, 7);
  EXPECT_EQ(patched(R"({"max_rows":"2k"})").rows, 2000u);
}

TEST_F(Knobs, APatchIsDoneWhollyOrNotAtAll) {
  EXPECT_EQ(patched(R"({"max_rows":128,"share":7})"), Options{});
  ASSERT_TRUE(refusal_);
  EXPECT_EQ(refusal_->status, 422);
  EXPECT_EQ(refusal_->message, "knob \"share\" cannot be 7; it is 0 to 1");
}

TEST_F(Knobs, AnUnknownKnobIsAnsweredWithTheNearestName) {
  patched(R"({"max_row":1})");
  ASSERT_TRUE(refusal_);
  EXPECT_EQ(refusal_->status, 400);
  EXPECT_EQ(refusal_->message, "there is no knob \"max_row\"; did you mean \"max_rows\"?");
  patched(R"({"temperature":1})");
  EXPECT_EQ(refusal_->message, "there is no knob \"temperature\"");
}

TEST_F(Knobs, ABrokenConstraintIsNamed) {
  patched(R"({"max_rows":4096})");
  ASSERT_TRUE(refusal_);
  EXPECT_EQ(refusal_->status, 422);
  EXPECT_EQ(refusal_->message, "the knobs must keep max_rows * share <= 1000");
  EXPECT_EQ(patched(R"({"max_rows":4096,"share":0.1})").rows, 4096u);  // together they are fine
}

TEST_F(Knobs, WrongTypesAreRefused) {
  for (const char* json :
       {R"({"max_rows":1.5})", R"({"max_rows":0})", R"({"max_rows":-3})", R"({"max_rows":true})",
        R"({"max_rows":[1]})", R"({"admit":1})", R"({"colour":"blue"})", R"({"colour":1})",
        R"({"step_ns":5})", R"({"wait_ns":"2 parsecs"})", R"({"max_rows":18446744073709551615})"}) {
    EXPECT_EQ(patched(json), Options{}) << json;
    ASSERT_TRUE(refusal_) << json;
    EXPECT_EQ(refusal_->status, 422) << json;
  }
  for (const char* json : {"", "[]", "{", R"({"admit":true,"admit":false})"}) {
    patched(json);
    ASSERT_TRUE(refusal_) << json;
    EXPECT_EQ(refusal_->status, 400) << json;
  }
}

TEST_F(Knobs, TheSchemaSaysWhatATunerNeeds) {
  jsonl::Buffer out;
  rows_.write_schema(rows_.defaults(), {"digits", 7, "/admin/v1/models/digits/knobs", 5}, out);
  EXPECT_EQ(out.view().substr(0, out.view().find("},\"colour\"")),
            R"({"version":1,"model":"digits","gen":7,"apply":{"method":"PATCH","path":)"
            R"("/admin/v1/models/digits/knobs"},"knobs":{"max_rows":{"type":"log_int","min":1,"max":4096,)"
            R"("default":64,"value":64,"apply":"hot","settle_ns":5,"tunable":true,"doc":"How many."},)"
            R"("wait_ns":{"type":"int","min":0,"max":1000000000,"default":2000000,"value":2000000,)"
            R"("unit":"ns","apply":"hot","settle_ns":5,"tunable":true,"doc":"How long."},)"
            R"("share":{"type":"float","min":0,"max":1,"default":0.5,"value":0.5,"apply":"hot",)"
            R"("settle_ns":5,"tunable":true,"when":"admit","doc":"How much."},)"
            R"("admit":{"type":"bool","default":true,"value":true,"apply":"hot","settle_ns":5,)"
            R"("tunable":true,"doc":"Whether.")");
  jsonl::OwnedObject whole(out.view());
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(jsonl::json_text(*jsonl::member(*whole.parser().find("knobs"), "step_ns")),
            R"({"type":"list","values":[0,100000],"default":0,"value":0,"unit":"ns","apply":"hot",)"
            R"("settle_ns":5,"tunable":false,"doc":"Which step."})");
  EXPECT_EQ(jsonl::json_text(*whole.parser().find("constraints")), R"(["max_rows * share <= 1000"])");
}

TEST_F(Knobs, SetReadsTheWordsOfTheCommandLine) {
  std::vector<KnobValue> values = rows_.defaults();
  EXPECT_FALSE(rows_.set("wait_ns", "3ms", values));
  EXPECT_FALSE(rows_.set("admit", "off", values));
  EXPECT_FALSE(rows_.set("colour", "red", values));
  EXPECT_EQ(table_.options(values), (Options{64, 3'000'000, 0.5, false, Colour::red, 0}));
  EXPECT_EQ(rows_.set("colour", "blue", values)->message,
            "knob \"colour\" cannot be \"blue\"; it is one of red, green");
}

}  // namespace
}  // namespace mlq::serve
