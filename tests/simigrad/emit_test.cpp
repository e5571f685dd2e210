// Each dialect is read back by the rules of its consumer.
#include <map>
#include <regex>
#include <sstream>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "lib/records/codec.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/emit/emit.h"
#include "tests/simigrad/grams.h"

namespace mlq::simigrad::test {
namespace {

std::vector<records::ScheduleSegment> schedule_of(
    const std::vector<std::pair<uint64_t, uint64_t>>& steps_and_batches) {
  std::vector<records::ScheduleSegment> segments;
  uint64_t step = 0, samples = 0;
  for (const auto& [steps, batch] : steps_and_batches) {
    records::ScheduleSegment s;
    s.index = segments.size();
    s.from_step = step;
    s.from_samples = samples;
    s.batch_samples = batch;
    s.lr_scale = 1.5;
    s.micro_samples = 8;
    s.accum = batch / 32;
    segments.push_back(s);
    step += steps;
    samples += steps * batch;
  }
  return segments;
}

const auto kThree = schedule_of({{100, 256}, {50, 512}, {1, 1024}});

EmitOptions all_options() {
  EmitOptions o;
  o.seq_length = 4096;
  o.epoch_samples = 10'000;
  o.micro = 8;
  o.workers = 4;
  return o;
}

std::string text_of(std::string_view dialect) { return emit(dialect, kThree, {}, all_options()).text; }

ExitKind kind_of(std::string_view dialect, const std::vector<records::ScheduleSegment>& segments,
                 const EmitOptions& options) {
  try {
    emit(dialect, segments, {}, options);
  } catch (const Error& error) {
    return error.kind();
  }
  return ExitKind::done;
}

// Megatron-LM: words by spaces, each THRESHOLD:BATCH, suffixes K M B T of thousands allowed; the first
// threshold 0, rising; thresholds pass through a float; in samples they are floor-divided by the sequence
// length; the global batch must be divisible by micro-batch x data-parallel size.
std::vector<std::pair<uint64_t, uint64_t>> read_megatron(const std::string& text, uint64_t seq,
                                                         uint64_t granule) {
  std::smatch m;
  EXPECT_TRUE(std::regex_match(text, m, std::regex("--step-batch-size-schedule \"([^\"]*)\"\n")));
  std::istringstream words(m[1]);
  std::vector<std::pair<uint64_t, uint64_t>> out;
  for (std::string word; words >> word;) {
    std::smatch parts;
    EXPECT_TRUE(std::regex_match(word, parts, std::regex("([0-9]+):([0-9]+)"))) << word;
    const auto tokens = static_cast<uint64_t>(std::stod(parts[1]));
    const uint64_t batch = std::stoull(parts[2]);
    EXPECT_EQ(std::to_string(tokens), parts[1]);
    EXPECT_TRUE(out.empty() ? tokens == 0 : tokens / seq > out.back().first);
    EXPECT_EQ(batch % granule, 0u);
    out.emplace_back(tokens / seq, batch);
  }
  return out;
}

TEST(Megatron, ReadsItsSchedule) {
  EXPECT_EQ(read_megatron(text_of("megatron"), 4096, 32),
            (std::vector<std::pair<uint64_t, uint64_t>>{{0, 256}, {25'600, 512}, {51'200, 1024}}));
  EXPECT_EQ(text_of("megatron"), "--step-batch-size-schedule \"0:256 104857600:512 209715200:1024\"\n");
}

TEST(Megatron, RefusesWhatItCannotSay) {
  EmitOptions options = all_options();
  EXPECT_EQ(kind_of("megatron", schedule_of({{1, 250}}), options), ExitKind::answer_no);
  auto far = kThree;
  far[2].from_samples = uint64_t{1} << 41;
  EXPECT_EQ(kind_of("megatron", far, options), ExitKind::answer_no);
  far[2].from_samples = ~uint64_t{0};
  EXPECT_EQ(kind_of("megatron", far, options), ExitKind::answer_no);
  auto falling = kThree;
  falling[2].from_samples = falling[1].from_samples;
  EXPECT_EQ(kind_of("megatron", falling, options), ExitKind::answer_no);
  options.seq_length.reset();
  EXPECT_EQ(kind_of("megatron", kThree, options), ExitKind::usage);
  options = all_options();
  options.micro.reset();
  EXPECT_EQ(kind_of("megatron", kThree, options), ExitKind::usage);
}

// DeepSpeed: set_train_batch_size raises ValueError unless train_batch % (micro_batch * world) == 0. The list
// is a Python literal; at every global step the last entry that has begun holds.
TEST(DeepSpeed, HasABatchForEveryStep) {
  const std::string text = text_of("deepspeed");
  const std::string list = text.substr(0, text.find('\n'));
  EXPECT_TRUE(std::regex_match(list, std::regex(R"(MLQ_BATCH = \[\(\d+, \d+\)(, \(\d+, \d+\))*\])"))) << list;
  std::vector<std::pair<uint64_t, uint64_t>> entries;
  const std::regex entry(R"(\((\d+), (\d+)\))");
  for (auto at = std::sregex_iterator(list.begin(), list.end(), entry); at != std::sregex_iterator(); ++at)
    entries.emplace_back(std::stoull((*at)[1]), std::stoull((*at)[2]));
  for (uint64_t step = 0; step < 151; ++step) {
    uint64_t batch = 0, expected = 0;
    for (const auto& [from, b] : entries)
      if (from <= step) batch = b;
    for (const auto& s : kThree)
      if (s.from_step <= step) expected = s.batch_samples;
    EXPECT_EQ(batch, expected);
    EXPECT_EQ(batch % 32, 0u);
  }
  EXPECT_EQ(entries.front().first, 0u);
  EXPECT_NE(text.find("engine.set_train_batch_size(batch)"), std::string::npos);
  EXPECT_EQ(kind_of("deepspeed", schedule_of({{1, 33}}), all_options()), ExitKind::answer_no);
}

// Lightning: keys are int epochs from 0, values int factors from 1, and key 0 must be there.
TEST(Lightning, HasIntEpochsAndFactors) {
  const records::Emission e = emit("lightning", kThree, {}, all_options());
  std::smatch m;
  ASSERT_TRUE(
      std::regex_match(e.text, m, std::regex(R"(GradientAccumulationScheduler\(scheduling=\{(.*)\}\)\n)")));
  const std::string body = m[1];
  std::map<uint64_t, uint64_t> scheduling;
  const std::regex entry(R"((\d+): (\d+))");
  for (auto at = std::sregex_iterator(body.begin(), body.end(), entry); at != std::sregex_iterator(); ++at) {
    EXPECT_TRUE(scheduling.emplace(std::stoull((*at)[1]), std::stoull((*at)[2])).second);
    EXPECT_GE(std::stoull((*at)[2]), 1u);
  }
  // 25,600 and 51,200 samples are epochs 2.56 and 5.12 of 10,000.
  EXPECT_EQ(scheduling, (std::map<uint64_t, uint64_t>{{0, 8}, {3, 16}, {5, 32}}));
  EXPECT_EQ(e.note, "3 segments became 3; starts were rounded to epochs of 10000 samples, by 4400 at most");
  EmitOptions options = all_options();
  options.epoch_samples = 1'000'000;
  EXPECT_EQ(emit("lightning", kThree, {}, options).text,
            "GradientAccumulationScheduler(scheduling={0: 32})\n");
  options.epoch_samples.reset();
  EXPECT_EQ(kind_of("lightning", kThree, options), ExitKind::usage);
}

TEST(Csv, HasARowASegment) {
  std::istringstream lines(text_of("csv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "from_step,from_samples,from_tokens,batch_samples,micro_samples,accum,lr_scale");
  for (const auto& s : kThree) {
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_EQ(line, std::to_string(s.from_step) + "," + std::to_string(s.from_samples) + "," +
                        std::to_string(s.from_samples * 4096) + "," + std::to_string(s.batch_samples) +
                        ",8," + std::to_string(*s.accum) + ",1.5");
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST(Jsonl, IsTheRecords) {
  std::istringstream lines(text_of("jsonl"));
  std::string line;
  for (const auto& s : kThree) {
    ASSERT_TRUE(std::getline(lines, line));
    jsonl::OwnedObject object(line);
    records::ScheduleSegment back;
    ASSERT_TRUE(records::read_record(object.parser().members(), back).ok) << line;
    EXPECT_EQ(back.from_samples, s.from_samples);
    EXPECT_EQ(back.batch_samples, s.batch_samples);
  }
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_TRUE(line.starts_with(R"({"type":"schedule",)"));
}

TEST(Dialects, AreKnownByName) {
  EXPECT_EQ(kind_of("slurm", kThree, all_options()), ExitKind::usage);
  for (const std::string_view dialect : dialects())
    EXPECT_EQ(kind_of(dialect, kThree, all_options()), ExitKind::done);
}

}  // namespace
}  // namespace mlq::simigrad::test
