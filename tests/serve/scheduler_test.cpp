#include "lib/serve/schedule/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "lib/serve/schedule/measures.h"

namespace mlq::serve {
namespace {

constexpr int64_t kMs = 1'000'000;

SchedulerKnobs fixed(uint32_t rows) { return {.controller = ControllerKind::fixed, .max_rows = rows}; }

// One owner's view: events in, the last actions kept.
struct Driver {
  explicit Driver(const SchedulerKnobs& knobs, uint32_t replicas = 1) : scheduler(knobs, 1) {
    for (uint32_t r = 0; r < replicas; ++r) scheduler.add_replica(0, r, true);
  }
  Verdict arrive(int64_t now_ns, uint64_t token, int64_t deadline_ns = kNoDeadline, uint64_t key = 1,
                 uint32_t rows = 1) {
    return scheduler.arrive(now_ns, {.token = token,
                                     .key = key,
                                     .rows = rows,
                                     .bytes = 100,
                                     .arrived_ns = now_ns,
                                     .deadline_ns = deadline_ns});
  }
  const Actions& step(int64_t now_ns) {
    actions.clear();
    scheduler.step(now_ns, actions);
    return actions;
  }
  // Batches of one row after another that take a + b n, so that the model knows the line.
  void teach(double a_ns, double b_ns, uint32_t largest, uint32_t rounds = 12) {
    for (uint32_t i = 0; i < rounds; ++i)
      for (uint32_t n = 1; n <= largest; n *= 2) {
        const int64_t now_ns = static_cast<int64_t>(i * 1000 + n) * kMs / 1000;
        for (uint32_t k = 0; k < n; ++k) arrive(now_ns, 1'000'000 + k);
        const Actions& done = step(now_ns);
        for (const Dispatch& batch : std::vector<Dispatch>(done.dispatches))
          scheduler.batch_done(now_ns, batch.batch, BatchOutcome::clean,
                               static_cast<int64_t>(a_ns + b_ns * batch.rows));
      }
  }
  Scheduler scheduler;
  Actions actions;
};

std::vector<uint64_t> tokens(const Actions& actions, size_t batch = 0) {
  const auto span = actions.tokens_of(actions.dispatches.at(batch));
  return {span.begin(), span.end()};
}

TEST(Scheduler, SendsAtOnceToAFreeSlotAndBatchesWhileItIsBusy) {
  Driver driver(fixed(4));
  driver.arrive(0, 1);
  ASSERT_EQ(driver.step(0).dispatches.size(), 1u);
  const uint64_t first = driver.actions.dispatches[0].batch;
  for (uint64_t t = 2; t <= 7; ++t) driver.arrive(1, t);
  EXPECT_TRUE(driver.step(1).dispatches.empty()) << "the slot is taken";
  driver.scheduler.batch_done(2, first, BatchOutcome::clean, 2);
  ASSERT_EQ(driver.step(2).dispatches.size(), 1u);
  EXPECT_EQ(tokens(driver.actions), (std::vector<uint64_t>{2, 3, 4, 5}));
  EXPECT_EQ(driver.scheduler.figures(2).queued_rows, 2u);
}

TEST(Scheduler, NeverSplitsARequestAndNeverGoesAboveTheSize) {
  Driver driver(fixed(4));
  driver.arrive(0, 1, kNoDeadline, 1, 3);
  driver.arrive(0, 2, kNoDeadline, 1, 2);
  driver.arrive(0, 3, kNoDeadline, 1, 9);
  std::vector<uint32_t> rows;
  for (int64_t now = 0; now < 3; ++now) {
    ASSERT_EQ(driver.step(now).dispatches.size(), 1u);
    rows.push_back(driver.actions.dispatches[0].rows);
    driver.scheduler.batch_done(now, driver.actions.dispatches[0].batch, BatchOutcome::clean, 1);
  }
  EXPECT_EQ(rows, (std::vector<uint32_t>{3, 2, 9})) << "9 rows are above the size and go alone, whole";
}

TEST(Scheduler, KeysNeverShareABatchAndTheEarliestHeadGoesFirst) {
  Driver driver(fixed(8));
  driver.arrive(0, 1, 100 * kMs, 1);
  driver.arrive(0, 2, 50 * kMs, 2);
  driver.arrive(0, 3, 200 * kMs, 2);
  driver.step(0);
  EXPECT_EQ(tokens(driver.actions), (std::vector<uint64_t>{2, 3}));
  driver.scheduler.batch_done(1, driver.actions.dispatches[0].batch, BatchOutcome::clean, 1);
  driver.step(1);
  EXPECT_EQ(tokens(driver.actions), (std::vector<uint64_t>{1}));
}

TEST(Scheduler, SoloRequestsGoOneByOne) {
  Driver driver(fixed(8));
  for (uint64_t t = 1; t <= 2; ++t) driver.scheduler.arrive(0, {.token = t, .key = 1, .solo = true});
  driver.step(0);
  EXPECT_EQ(tokens(driver.actions), (std::vector<uint64_t>{1}));
}

TEST(Scheduler, BatchBytesAreBounded) {
  SchedulerKnobs knobs = fixed(8);
  knobs.max_batch_bytes = 250;
  Driver driver(knobs);
  for (uint64_t t = 1; t <= 3; ++t) driver.arrive(0, t);
  driver.step(0);
  EXPECT_EQ(tokens(driver.actions), (std::vector<uint64_t>{1, 2}));
}

TEST(Scheduler, AFullQueueRefusesWithATimeToComeBack) {
  SchedulerKnobs knobs = fixed(8);
  knobs.max_queue_rows = 3;
  Driver driver(knobs);
  for (uint64_t t = 1; t <= 3; ++t) EXPECT_EQ(driver.arrive(0, t).rejection, Rejection::none);
  const Verdict verdict = driver.arrive(0, 4);
  EXPECT_EQ(verdict.rejection, Rejection::queue_full);
  EXPECT_GT(verdict.retry_after_ns, 0);
}

TEST(Scheduler, FixedDelayHoldsUntilTheOldestWaitedOrTheBatchIsFull) {
  SchedulerKnobs knobs = fixed(3);
  knobs.delay_mode = DelayMode::fixed;
  knobs.delay_ns = 2 * kMs;
  Driver driver(knobs);
  driver.arrive(0, 1);
  EXPECT_TRUE(driver.step(0).dispatches.empty());
  EXPECT_EQ(driver.scheduler.next_wake(), 2 * kMs);
  driver.arrive(kMs, 2);
  EXPECT_TRUE(driver.step(kMs).dispatches.empty());
  ASSERT_EQ(driver.step(2 * kMs).dispatches.size(), 1u);
  EXPECT_EQ(driver.actions.dispatches[0].hold_ns, 2 * kMs);
  driver.scheduler.batch_done(3 * kMs, driver.actions.dispatches[0].batch, BatchOutcome::clean, kMs);
  for (uint64_t t = 3; t <= 5; ++t) driver.arrive(3 * kMs, t);
  EXPECT_EQ(driver.step(3 * kMs).dispatches.size(), 1u) << "full: nothing to wait for";
}

TEST(Scheduler, AFixedDelayNeverHoldsPastWhatTheDeadlineAllows) {
  SchedulerKnobs knobs = fixed(64);
  knobs.admit = false;
  Driver driver(knobs);
  driver.teach(4e6, 0, 32);
  knobs.delay_mode = DelayMode::fixed;
  knobs.delay_ns = 10 * kMs;
  driver.scheduler.set_knobs(knobs);
  const int64_t now = 1000 * kMs;
  driver.arrive(now, 1, now + 7 * kMs);
  EXPECT_TRUE(driver.step(now).dispatches.empty());
  EXPECT_NEAR(static_cast<double>(*driver.scheduler.next_wake() - now), 3e6, 1e4) << "7 ms less l(1)";
}

TEST(Scheduler, ShedsAtTheDeadlineNeverSilently) {
  Driver driver(fixed(1));
  driver.arrive(0, 1);
  driver.step(0);
  driver.arrive(0, 2, 5 * kMs);
  driver.step(0);
  EXPECT_EQ(driver.scheduler.next_wake(), 5 * kMs + 1);
  ASSERT_EQ(driver.step(5 * kMs + 1).sheds.size(), 1u);
  EXPECT_EQ(driver.actions.sheds[0].token, 2u);
  EXPECT_EQ(driver.actions.sheds[0].reason, ShedReason::deadline);
}

TEST(Scheduler, TrimsABatchToTheEarliestDeadlineInIt) {
  SchedulerKnobs knobs = fixed(64);
  knobs.drop_rule = DropRule::earliest;
  knobs.admit = false;
  Driver driver(knobs);
  driver.teach(1e6, 1e6, 32);
  const int64_t now = 1000 * kMs;
  for (uint64_t t = 1; t <= 40; ++t) driver.arrive(now, t, now + (t == 1 ? 9 : 1000) * kMs + kMs / 2);
  ASSERT_EQ(driver.step(now).dispatches.size(), 1u);
  EXPECT_EQ(driver.actions.dispatches[0].rows, 8u) << "1 + 8 ms fit in 9.5 ms, 1 + 9 do not";
}

TEST(Scheduler, TheWindowRuleDropsHeadsThatStandInTheWayOfAFullBatch) {
  SchedulerKnobs knobs = fixed(32);
  knobs.admit = false;
  Driver driver(knobs);
  driver.teach(1e6, 1e6, 32);
  const int64_t now = 1000 * kMs;
  for (uint64_t t = 1; t <= 40; ++t) driver.arrive(now, t, now + (t <= 2 ? 9 : 1000) * kMs);
  driver.step(now);
  EXPECT_EQ(driver.actions.sheds.size(), 2u);
  ASSERT_EQ(driver.actions.dispatches.size(), 1u);
  EXPECT_EQ(driver.actions.dispatches[0].rows, 32u);
}

TEST(Scheduler, AdmissionRefusesWhatWouldFinishAfterItsDeadline) {
  Driver driver(fixed(8));
  driver.teach(1e6, 1e6, 8);
  const int64_t now = 1000 * kMs;
  driver.arrive(now, 1);
  driver.step(now);  // 1 row flies for 2 ms
  EXPECT_EQ(driver.arrive(now, 2, now + kMs).rejection, Rejection::late);
  EXPECT_EQ(driver.arrive(now, 3, now + 30 * kMs).rejection, Rejection::none);
  const Verdict verdict = driver.arrive(now, 4, now + 2 * kMs);
  EXPECT_EQ(verdict.rejection, Rejection::late);
  EXPECT_GE(verdict.retry_after_ns, kMs);
}

// Clients that ask again as soon as they are answered, with no deadline; a batch takes a + b n. The first
// `lonely` requests come one by one.
size_t shed_of_closed_loop(const SchedulerKnobs& knobs, uint64_t clients, uint64_t lonely, double a_ns,
                           double b_ns) {
  Driver driver(knobs);
  int64_t now_ns = 0;
  uint64_t next = 1;
  size_t shed = 0;
  const auto serve = [&](uint64_t asked) {
    while (asked-- > 0) driver.arrive(now_ns, next++);
    for (const Dispatch& batch : std::vector<Dispatch>(driver.step(now_ns).dispatches)) {
      shed += driver.actions.sheds.size();
      const auto latency_ns = static_cast<int64_t>(a_ns + b_ns * batch.rows);
      driver.scheduler.batch_done(now_ns += latency_ns, batch.batch, BatchOutcome::clean, latency_ns);
      return uint64_t{batch.requests};
    }
    return uint64_t{0};
  };
  for (uint64_t k = 0; k < lonely; ++k) serve(1);
  uint64_t answered = serve(clients);
  for (int k = 0; k < 200; ++k) answered = serve(answered);
  return shed;
}

TEST(Scheduler, ClientsThatWaitForASizeStillToBeFoundAreNoOverload) {
  for (const uint64_t clients : {16u, 32u, 64u})
    for (const double a_ns : {2e6, 40e6, 400e6})
      for (const uint64_t lonely : {0u, 500u}) {
        SCOPED_TRACE(testing::Message() << clients << " clients, " << a_ns << " ns, " << lonely << " before");
        EXPECT_EQ(shed_of_closed_loop({}, clients, lonely, a_ns, a_ns / 200), 0u);
      }
}

// Two that waited for a machine that stood still, a second apart: what waits leaves at once.
TEST(Scheduler, AQueueThatTheNextBatchEmptiesIsNoOverload) {
  Driver driver(fixed(4));
  driver.teach(1e6, 0, 4);
  for (const int64_t second : {1, 2, 3}) {
    const int64_t now_ns = second * 1000 * kMs;
    for (uint64_t k = 0; k < 4; ++k) driver.arrive(now_ns - 20 * kMs, k);
    driver.step(now_ns);
    EXPECT_TRUE(driver.actions.sheds.empty()) << second;
    ASSERT_EQ(driver.actions.dispatches.size(), 1u) << second;
    driver.scheduler.batch_done(now_ns, driver.actions.dispatches[0].batch, BatchOutcome::clean, kMs);
  }
}

TEST(Scheduler, ClientsThatWaitLongForASizeThatIsSetAreOverload) {
  EXPECT_GT(shed_of_closed_loop(fixed(4), 160, 0, 40e6, 0.2e6), 0u);
  EXPECT_EQ(shed_of_closed_loop(fixed(4), 64, 0, 40e6, 0.2e6), 0u);
}

TEST(Scheduler, WithoutAnyReplicaNothingWaits) {
  Driver driver(fixed(8));
  driver.arrive(0, 1);
  driver.step(0);
  driver.arrive(0, 2);
  driver.scheduler.remove_replica(1, 0);
  ASSERT_EQ(driver.step(1).sheds.size(), 1u);
  EXPECT_EQ(driver.actions.sheds[0].reason, ShedReason::no_replica);
  EXPECT_EQ(driver.arrive(2, 3).rejection, Rejection::no_replica);
}

TEST(Scheduler, RequeuedHalvesStayApartAndKeepTheirPlace) {
  Driver driver(fixed(8));
  driver.arrive(0, 9);
  driver.step(0);
  driver.arrive(50, 10);
  const std::vector<Request> a{{.token = 1, .key = 1, .arrived_ns = 1},
                               {.token = 2, .key = 1, .arrived_ns = 2}};
  const std::vector<Request> b{{.token = 3, .key = 1, .arrived_ns = 3}};
  driver.scheduler.requeue(60, 100, a, std::nullopt);
  driver.scheduler.requeue(60, 101, b, std::nullopt);
  std::vector<std::vector<uint64_t>> batches;
  uint64_t flying = driver.actions.dispatches[0].batch;
  for (int64_t now = 60; now < 63; ++now) {
    driver.scheduler.batch_done(now, flying, BatchOutcome::rejected, 1);
    driver.step(now);
    batches.push_back(tokens(driver.actions));
    flying = driver.actions.dispatches[0].batch;
  }
  EXPECT_EQ(batches, (std::vector<std::vector<uint64_t>>{{1, 2}, {3}, {10}}));
}

TEST(Scheduler, ARetryGoesToAnotherReplicaAndWaitsForIt) {
  Driver driver(fixed(1), 2);
  driver.arrive(0, 1);
  driver.arrive(0, 2);
  ASSERT_EQ(driver.step(0).dispatches.size(), 2u);
  const Dispatch failed = driver.actions.dispatches[0], other = driver.actions.dispatches[1];
  driver.scheduler.batch_done(1, failed.batch, BatchOutcome::failed, 1);
  const std::vector<Request> again{{.token = 1, .key = 1}};
  driver.scheduler.requeue(1, 100, again, failed.replica);
  EXPECT_TRUE(driver.step(1).dispatches.empty()) << "only the replica to avoid is free";
  driver.scheduler.batch_done(2, other.batch, BatchOutcome::clean, 2);
  ASSERT_EQ(driver.step(2).dispatches.size(), 1u);
  EXPECT_EQ(driver.actions.dispatches[0].replica, other.replica);
}

TEST(Scheduler, KnobsChangeBetweenBatchesAndWhatWaitsStays) {
  Driver driver(fixed(2));
  for (uint64_t t = 1; t <= 6; ++t) driver.arrive(0, t);
  driver.step(0);
  EXPECT_EQ(tokens(driver.actions).size(), 2u);
  driver.scheduler.set_knobs(fixed(4));
  driver.scheduler.batch_done(1, driver.actions.dispatches[0].batch, BatchOutcome::clean, 1);
  driver.step(1);
  EXPECT_EQ(tokens(driver.actions), (std::vector<uint64_t>{3, 4, 5, 6}));
}

// A proxy that stood still for a while has overheads as long as that; they must not close it for good.
TEST(Scheduler, AStallOfItsOwnDoesNotShutItDown) {
  SchedulerKnobs knobs;
  knobs.slo_ns = 20 * kMs;
  Driver driver(knobs);
  driver.teach(2e6, 2e4, 16);
  int64_t now_ns = 1000 * kMs;
  for (int k = 0; k < 1024; ++k) driver.scheduler.observe_overhead(now_ns, 100 * kMs);
  int at_once = 0, later = 0;
  for (uint64_t t = 1; t <= 3000; ++t) {
    now_ns += kMs;
    const bool taken = driver.arrive(now_ns, t, now_ns + 20 * kMs).rejection == Rejection::none;
    const size_t sheds = driver.step(now_ns).sheds.size();
    (t <= 1000 ? at_once : later) += (taken ? 1 : 0) - static_cast<int>(sheds);
    for (const Dispatch& batch : std::vector<Dispatch>(driver.actions.dispatches))
      driver.scheduler.batch_done(now_ns, batch.batch, BatchOutcome::clean, 2 * kMs + 20'000 * batch.rows);
  }
  EXPECT_EQ(at_once, 1000);
  EXPECT_EQ(later, 2000);
}

TEST(Scheduler, OverheadsAreForgottenAfterASecond) {
  OverheadWindow window;
  for (int k = 0; k < 64; ++k) window.add(k, 7 * kMs);
  EXPECT_EQ(window.p99_ns(), 7 * kMs);
  window.advance(900 * kMs);
  EXPECT_EQ(window.p99_ns(), 7 * kMs);
  window.advance(1200 * kMs);
  EXPECT_EQ(window.p99_ns(), 0);
}

// One batch in twenty takes ten times as long: no size keeps the objective's quantile. Single rows would
// answer an eighth of the requests.
TEST(Scheduler, WhereNoSizeKeepsTheQuantileBatchesStayWorthwhile) {
  SchedulerKnobs knobs;
  knobs.slo_ns = 20 * kMs;
  Driver driver(knobs);
  int64_t now_ns = 0;
  uint64_t token = 0, batches = 0, rows = 0;
  for (int k = 0; k < 2000; ++k) {
    now_ns += 10 * kMs;
    for (int r = 0; r < 40; ++r) driver.arrive(now_ns, ++token, now_ns + 200 * kMs);
    for (const Dispatch& batch : std::vector<Dispatch>(driver.step(now_ns).dispatches)) {
      const int64_t usual_ns = 3 * kMs + 20'000 * batch.rows;
      driver.scheduler.batch_done(now_ns, batch.batch, BatchOutcome::clean,
                                  ++batches % 50 == 0 ? 8 * usual_ns : usual_ns);
      if (k >= 1000) rows += batch.rows;
    }
  }
  EXPECT_GT(driver.scheduler.figures(now_ns).target_rows, 4u);
  EXPECT_GT(rows, 10'000u);
}

}  // namespace
}  // namespace mlq::serve
