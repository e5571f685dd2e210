// What void windows in a row come to.
#include "lib/tune/drive/turn.h"

#include <gtest/gtest.h>

#include "lib/base/error.h"

namespace mlq::tune::test {
namespace {

TurnResult window(TrialOutcome outcome, bool lied = false) {
  TurnResult result;
  result.row.outcome = outcome;
  result.lied = lied;
  result.trial.note = lied ? "rows is 1, not 2" : "late";
  return result;
}

// How many of these it takes until there are enough; 0: 100 are not.
int enough(const std::vector<TurnResult>& turns) {
  Voids voids;
  for (int k = 0; k < 100; ++k) {
    try {
      voids.add(turns[static_cast<size_t>(k) % turns.size()], "digits");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ExitKind::environment);
      EXPECT_TRUE(std::string(error.what()).starts_with("digits: ")) << error.what();
      return k + 1;
    }
  }
  return 0;
}

TEST(Voids, AnEndpointThatDoesNotTakeWhatItIsToldHasThreeTries) {
  EXPECT_EQ(enough({window(TrialOutcome::none, true)}), 3);
}

TEST(Voids, AMachineThatIsBusyHasTen) { EXPECT_EQ(enough({window(TrialOutcome::none)}), 10); }

TEST(Voids, AWindowThatSaysSomethingBeginsTheCountAnew) {
  const TurnResult busy = window(TrialOutcome::none), lied = window(TrialOutcome::none, true);
  EXPECT_EQ(enough({busy, busy, lied, lied, window(TrialOutcome::failed)}), 0);
  EXPECT_EQ(enough({busy, lied}), 6);
}

}  // namespace
}  // namespace mlq::tune::test
