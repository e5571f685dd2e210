// Whole runs against null servers: what is sent, what is accounted for, and what is said when things go
// wrong.
#include "lib/replay/run.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "lib/base/random.h"
#include "lib/records/load_schema.h"
#include "lib/replay/merge.h"
#include "lib/replay/null_server.h"
#include "tests/support/temp_dir.h"

namespace mlq::replay {
namespace {

using mlq::test::TempDir;

// A trace of `count` arrivals, one each `gap_us`, every third in a dialogue of its own class.
std::string trace_text(uint64_t count, int64_t gap_us) {
  std::string text;
  for (uint64_t i = 0; i < count; ++i) {
    text += fmt::format(R"({{"type":"arrival","t_ns":{},"i":{})", static_cast<int64_t>(i) * gap_us * 1000, i);
    if (i % 3 == 0) text += fmt::format(R"(,"class":"chat","conversation":"c{}")", i % 7);
    text += "}\n";
  }
  return text;
}

// What a run has written, by type.
struct Written {
  std::vector<records::Result> results;
  std::vector<records::Summary> summaries;
  records::Run run;
  records::End end;

  std::map<std::string, int> outcomes() const {
    std::map<std::string, int> counts;
    for (const records::Result& r : results) ++counts[r.outcome];
    return counts;
  }
  const records::Summary& all() const { return summaries.front(); }
};

Written read(const std::string& path) {
  Written written;
  records::Reader reader(path, {});
  while (reader.next()) {
    if (reader.type() == "result") written.results.push_back(reader.as<records::Result>());
    if (reader.type() == "summary") written.summaries.push_back(reader.as<records::Summary>());
  }
  reader.finish();
  written.run = reader.runs().front();
  written.end = *reader.end();
  return written;
}

class RunAgainstANullServer : public ::testing::Test {
 protected:
  RunAgainstANullServer() {
    options.priority = Priority::off;
    options.max_lag_ns = 3'600'000'000'000;  // the machine may be busy
    options.sending.tag = true;
  }
  void serve() {
    server.emplace(served);
    server->start();
    options.client.url = http::parse_url(server->url() + target);
    options.requests.target = target;
  }
  // Sends a trace; the records are in the file that is returned.
  std::string send(const std::string& trace, const std::string& name = "out.jsonl") {
    records::Reader reader(folder.file("trace.jsonl", trace), {.stop = &stop});
    const std::string path = folder / name;
    records::Writer writer(Output::open(path), true);
    records::Run run;
    run.tool = "test";
    run.version = "0";
    outcome = run_replay(
        options, reader, run, writer, stop, [](const std::string&) {}, progress);
    return path;
  }
  Written sent(uint64_t count, int64_t gap_us = 200) { return read(send(trace_text(count, gap_us))); }

  TempDir folder;
  NullServerOptions served;
  std::string target = "/";
  std::optional<NullServer> server;
  RunOptions options;
  StopFlag stop;
  std::function<void(uint64_t)> progress = [](uint64_t) {};
  RunOutcome outcome;
};

uint64_t digest_of(const std::vector<records::Result>& results) {
  uint64_t digest = 0;
  for (const records::Result& r : results) digest += mix64(r.i);
  return digest;
}

TEST_F(RunAgainstANullServer, EveryRequestIsAnsweredAndAccountedForOnce) {
  serve();
  const Written written = sent(500);
  EXPECT_EQ(written.outcomes(), (std::map<std::string, int>{{"ok", 500}}));
  std::set<uint64_t> seen;
  for (const records::Result& r : written.results) {
    EXPECT_TRUE(seen.insert(r.i).second);
    EXPECT_GE(*r.send_ns, r.due_ns);
    EXPECT_GE(*r.first_ns, *r.send_ns);
    EXPECT_GE(*r.last_ns, *r.first_ns);
    EXPECT_EQ(*r.latency_ns, *r.last_ns - r.due_ns);
    EXPECT_EQ(*r.service_ns, *r.last_ns - *r.send_ns);
  }
  EXPECT_EQ(seen.size(), 500u);
  EXPECT_EQ(written.end.i_digest, fmt::format("{:016x}", digest_of(written.results)));
  EXPECT_EQ(written.end.i_digest, written.end.trace_i_digest);
  EXPECT_EQ(written.end.trace_count, 500u);
  ASSERT_EQ(written.summaries.size(), 2u);
  EXPECT_EQ(written.all().planned, 500u);
  EXPECT_EQ(written.summaries[1].klass, "chat");
  EXPECT_TRUE(written.all().valid) << written.all().why.value_or("");
  EXPECT_NEAR(*written.all().little_ratio, 1, 0.01);
}

TEST_F(RunAgainstANullServer, SeveralThreadsSendTheVerySameRequests) {
  serve();
  const Written one = sent(400);
  options.reading.rule.threads = 4;
  const Written four = sent(400);
  const auto identities = [](const Written& written) {
    std::set<std::pair<uint64_t, int64_t>> all;
    for (const records::Result& r : written.results) all.emplace(r.i, r.due_ns);
    return all;
  };
  EXPECT_EQ(identities(one), identities(four));
  EXPECT_EQ(one.end.i_digest, four.end.i_digest);
  EXPECT_EQ(four.run.threads, 4u);
}

TEST_F(RunAgainstANullServer, ShardsAreAPartitionAndMergeToTheWhole) {
  serve();
  options.sending.windows = WindowOptions{.window_ns = 20'000'000};
  options.slo_text = "p99<=10s";
  options.sending.slo = stats::parse_slo(options.slo_text);
  std::vector<std::string> parts;
  std::set<uint64_t> seen;
  for (uint32_t k = 0; k < 4; ++k) {
    options.reading.rule.shard = options.sending.shard = k;
    options.reading.rule.shards = 4;
    parts.push_back(send(trace_text(400, 200), fmt::format("part-{}.jsonl", k)));
    for (const records::Result& r : read(parts.back()).results) EXPECT_TRUE(seen.insert(r.i).second) << r.i;
  }
  EXPECT_EQ(seen.size(), 400u);
  const auto merge = [&](const std::vector<std::string>& files, bool partial) {
    records::Writer writer(Output::open(folder / "merged.jsonl"), true);
    MergeOptions merging;
    merging.partial = partial;
    merging.temp_folder = folder.path().string();
    run_merge(files, merging, {}, writer);
    return read(folder / "merged.jsonl");
  };
  const Written whole = merge(parts, false);
  EXPECT_EQ(whole.all().planned, 400u);
  EXPECT_EQ(whole.results.size(), 400u);
  EXPECT_EQ(whole.all().why, "clock_error");  // they were sent one after the other
  parts.pop_back();                           // a rank died
  EXPECT_THROW(merge(parts, false), Error);
  const Written rest = merge(parts, true);
  EXPECT_EQ(rest.all().why, "clock_error,missing_shards");
}

TEST_F(RunAgainstANullServer, AServerThatClosesEachConnectionIsNoFault) {
  served.close_after = 1;
  serve();
  const Written written = sent(200, 500);
  EXPECT_EQ(written.outcomes(), (std::map<std::string, int>{{"ok", 200}}));
  for (const records::Result& r : written.results) EXPECT_EQ(r.reused, false);
}

TEST_F(RunAgainstANullServer, EachFaultOfTheServerHasItsOutcome) {
  const auto outcomes = [&](void (*spoil)(NullServerOptions&), const char* path = "/") {
    served = {};
    spoil(served);
    target = path;
    serve();
    const auto counts = sent(20, 500).outcomes();
    server.reset();
    return counts;
  };
  using Counts = std::map<std::string, int>;
  EXPECT_EQ(outcomes([](NullServerOptions& o) { o.error = {1, 503}; }), (Counts{{"http_5xx", 20}}));
  EXPECT_EQ(outcomes([](NullServerOptions& o) { o.error = {1, 429}; }), (Counts{{"http_429", 20}}));
  EXPECT_EQ(outcomes([](NullServerOptions& o) { o.error = {1, 404}; }), (Counts{{"http_4xx", 20}}));
  EXPECT_EQ(outcomes([](NullServerOptions& o) { o.reset = 1; }), (Counts{{"reset", 20}}));
  EXPECT_EQ(outcomes([](NullServerOptions& o) { o.endless_headers = true; }), (Counts{{"protocol", 20}}));
  EXPECT_EQ(outcomes([](NullServerOptions& o) { o.invalid_sse = true; }, "/v1/chat/completions"),
            (Counts{{"sse_error", 20}}));
}

TEST_F(RunAgainstANullServer, TimeLimitsAreOutcomesWithBounds) {
  served.service = parse_service("fixed,mean=20s");
  serve();
  options.sending.timeout_ns = 50'000'000;
  const Written written = sent(5);
  EXPECT_EQ(written.outcomes(), (std::map<std::string, int>{{"total_timeout", 5}}));
  EXPECT_FALSE(written.all().latency.p99.has_value());
  EXPECT_GE(*written.all().latency.p99_lo, 50'000'000);
}

TEST_F(RunAgainstANullServer, TokensOfAStreamAreCountedAndTimed) {
  served.sse = SseRule{.ttft_ns = 2'000'000, .itl_ns = 1'000'000};
  served.tokens = 8;
  target = "/v1/chat/completions";
  serve();
  options.requests.tokens_per_word = 1;
  const std::string trace = R"({"type":"arrival","t_ns":0,"output_tokens":8})"
                            "\n";
  const Written written = read(send(trace));
  ASSERT_EQ(written.results.size(), 1u);
  const records::Result& r = written.results[0];
  EXPECT_EQ(r.outcome, "ok") << r.note.value_or("");
  EXPECT_EQ(r.output_tokens, 8u);
  EXPECT_EQ(r.tokens_from, "usage");
  EXPECT_GE(*r.ttft_ns, 2'000'000);
  // The last of the 8 is sent 9 ms after the request; the first may be read late, on a busy machine.
  EXPECT_GE(*r.ttft_ns + 7 * *r.tpot_ns, 8'900'000);
  EXPECT_EQ(written.all().output_tokens, 8u);
}

TEST_F(RunAgainstANullServer, NoConnectionBeforeTheStartIsAnError) {
  options.client.url = http::parse_url("http://127.0.0.1:1/");
  try {
    sent(5);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
    EXPECT_NE(std::string(error.what()).find("127.0.0.1:1"), std::string::npos);
  }
}

TEST_F(RunAgainstANullServer, AfterAFaultOfTheTraceWhatCameIsSentAndWritten) {
  serve();
  const std::string bad = trace_text(50, 200) + "{\"type\":\"arrival\",\"t_ns\":";
  EXPECT_THROW(send(bad), Error);  // seen before the start: nothing is sent
  std::string cut =
      "{\"type\":\"run\",\"tool\":\"x\",\"version\":\"0\",\"schema\":1,\"argv\":[]}\n" + trace_text(50, 200);
  EXPECT_THROW(send(cut), Error);
}

TEST_F(RunAgainstANullServer, BadArrivalsAreInputErrorsThatNameTheLine) {
  serve();
  for (const char* line :
       {R"({"type":"arrival","t_ns":-1})", R"({"type":"arrival","t_ns":1,"i":5,"after_i":9})"}) {
    try {
      send(trace_text(2, 1) + line + "\n");
      ADD_FAILURE() << line;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ExitKind::input);
      EXPECT_NE(std::string(error.what()).find(":3:"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(send(""), Error);
}

TEST_F(RunAgainstANullServer, ATraceOutOfOrderIsSentInOrder) {
  serve();
  std::string text;
  for (int i = 99; i >= 0; --i)
    text += fmt::format(R"({{"type":"arrival","t_ns":{},"i":{}}})"
                        "\n",
                        i * 100'000, i);
  const Written written = read(send(text));
  EXPECT_EQ(written.results.size(), 100u);
  EXPECT_EQ(written.all().why.value_or("").find("trace_starved"), std::string::npos);
}

TEST_F(RunAgainstANullServer, ASignalEndsItAndEverythingIsStillWritten) {
  serve();
  // Server and client share this process's descriptors, and the sanitizers' checks of memory need some too.
  options.max_inflight = 200;
  progress = [this](uint64_t done) {
    if (done > 100) stop.request(2);
  };
  const Written written = sent(100'000);
  EXPECT_EQ(written.end.interrupted, true);
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_LT(written.all().planned, 100'000u);
  EXPECT_EQ(written.all().planned, written.results.size());
  EXPECT_GT(*written.end.unsent, 0u);
}

TEST_F(RunAgainstANullServer, ASignalBeforeTheStartLeavesNothingButTheEnd) {
  serve();
  stop.request(2);
  records::Reader reader(folder.file("trace.jsonl", trace_text(5, 200)), {.stop = &stop});
  records::Writer writer(Output::open(folder / "early.jsonl"), true);
  outcome = run_replay(
      options, reader, {}, writer, stop, [](const std::string&) {}, progress);
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_TRUE(outcome.summaries.empty());
}

TEST_F(RunAgainstANullServer, SpeedScalesTheTimesAndKeepsThoseOfTheTrace) {
  serve();
  options.reading.speed = {2, 1};
  const Written written = sent(100, 400);
  for (const records::Result& r : written.results) {
    if (r.i == 0) continue;
    EXPECT_EQ(r.due_ns, static_cast<int64_t>(r.i) * 200'000);
    EXPECT_EQ(*r.t_ns, static_cast<int64_t>(r.i) * 400'000);
  }
}

TEST_F(RunAgainstANullServer, OnlyTheResultsThatWereAskedForAreWritten) {
  serve();
  options.results = parse_result_filter("none");
  const Written written = sent(50);
  EXPECT_TRUE(written.results.empty());
  EXPECT_EQ(written.all().planned, 50u);
  options.results = parse_result_filter("sample:50%");
  const size_t half = sent(400).results.size();
  EXPECT_GT(half, 120u);
  EXPECT_LT(half, 280u);
}

TEST_F(RunAgainstANullServer, DryRunOpensNoSocket) {
  options.dry_run = true;
  options.client.url = http::parse_url("http://127.0.0.1:1/");
  const Written written = sent(200);
  EXPECT_EQ(written.outcomes(), (std::map<std::string, int>{{"ok", 200}}));
}

}  // namespace
}  // namespace mlq::replay
