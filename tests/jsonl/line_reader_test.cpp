#include "lib/jsonl/line_reader.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/piped_input.h"

namespace mlq::jsonl {
namespace {

struct Got {
  std::string text;
  uint64_t number;
  bool terminated;
  bool too_long;
  bool operator==(const Got&) const = default;
};

[[maybe_unused]] void PrintTo(const Got& got, std::ostream* out) {
  *out << '"' << got.text.substr(0, 100) << "\" number " << got.number
       << (got.terminated ? "" : " not terminated") << (got.too_long ? " too long" : "");
}

std::vector<Got> all_lines(LineReader reader) {
  std::vector<Got> lines;
  for (Line line; reader.next(line);)
    lines.push_back({std::string(line.text), line.number, line.terminated, line.too_long});
  return lines;
}

std::vector<Got> lines_of(std::string_view bytes, size_t max_line = kDefaultMaxLine,
                          size_t block = kDefaultBlock) {
  return all_lines(LineReader(Input::from_bytes("test", bytes), max_line, block));
}

TEST(LineReader, OfNothingHasNoLines) { EXPECT_TRUE(lines_of("").empty()); }

TEST(LineReader, HandsOutLinesWithTheirNumbers) {
  EXPECT_EQ(lines_of("a\nbc\n"), (std::vector<Got>{{"a", 1, true, false}, {"bc", 2, true, false}}));
}

TEST(LineReader, HandsOutEmptyLines) {
  EXPECT_EQ(lines_of("\n\na\n"),
            (std::vector<Got>{{"", 1, true, false}, {"", 2, true, false}, {"a", 3, true, false}}));
}

TEST(LineReader, TellsALastLineWithoutLineEnd) {
  EXPECT_EQ(lines_of("a\nb"), (std::vector<Got>{{"a", 1, true, false}, {"b", 2, false, false}}));
}

TEST(LineReader, TakesCrLfAsOneLineEnd) {
  EXPECT_EQ(lines_of("a\r\n\r\nb\rc\r"),
            (std::vector<Got>{{"a", 1, true, false}, {"", 2, true, false}, {"b\rc", 3, false, false}}));
}

TEST(LineReader, DropsAByteOrderMarkAtTheStartOnly) {
  EXPECT_EQ(lines_of("\xEF\xBB\xBF"
                     "a\n\xEF\xBB\xBF"
                     "b\n"),
            (std::vector<Got>{{"a", 1, true, false},
                              {"\xEF\xBB\xBF"
                               "b",
                               2, true, false}}));
}

TEST(LineReader, ALineOfTheLimitIsWholeAndOneByteMoreIsTooLong) {
  for (const size_t block : {size_t{1}, size_t{7}, size_t{10}, kDefaultBlock}) {
    const auto lines = lines_of("0123456789\n0123456789x\nab\r\n0123456789\r\n", 10, block);
    EXPECT_EQ(lines, (std::vector<Got>{{"0123456789", 1, true, false},
                                       {"0123456789", 2, true, true},
                                       {"ab", 3, true, false},
                                       {"0123456789", 4, true, false}}))
        << "block " << block;
  }
}

TEST(LineReader, KeepsTheBeginningOfATooLongLineAndGoesOnBehindIt) {
  const std::string longest(10'000, 'x');
  for (const size_t block : {size_t{16}, size_t{1000}, kDefaultBlock}) {
    const auto lines = lines_of("a\n" + longest + "\nb\n" + longest, 1000, block);
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_EQ(lines[1], (Got{longest.substr(0, kLongLineKept), 2, true, true}));
    EXPECT_EQ(lines[2], (Got{"b", 3, true, false}));
    EXPECT_EQ(lines[3], (Got{longest.substr(0, kLongLineKept), 4, false, true}));
  }
}

TEST(LineReader, LinesDoNotDependOnTheBlockSize) {
  std::mt19937 random(3);
  constexpr std::string_view alphabet = "ab\n\n\r\xEF\xBB\xBF";
  for (int round = 0; round < 400; ++round) {
    std::string bytes = round % 7 == 0 ? "\xEF\xBB\xBF" : "";
    for (size_t n = random() % 120; n > 0; --n) bytes += alphabet[random() % alphabet.size()];
    if (round % 5 == 0) bytes.insert(bytes.size() / 2, 150, 'z');
    const size_t max_line = 4 + random() % 150;
    const auto expected = lines_of(bytes, max_line);
    for (const size_t block : {size_t{1}, size_t{2}, size_t{3}, size_t{13}, size_t{64}}) {
      ASSERT_EQ(lines_of(bytes, max_line, block), expected) << "round " << round << " block " << block;
    }
  }
}

TEST(LineReader, LinesDoNotDependOnHowTheBytesCome) {
  std::string bytes;
  for (int i = 0; i < 300; ++i)
    bytes += std::string(static_cast<size_t>(i % 37), 'a') + (i % 3 == 0 ? "\r\n" : "\n");
  const auto expected = lines_of(bytes);
  for (const size_t piece : {1, 2, 5, 97}) {
    const test::PipedInput pipe(bytes, piece);
    EXPECT_EQ(all_lines(LineReader(pipe.open())), expected) << "piece " << piece;
  }
}

TEST(LineReader, LinesCrossTheDefaultBlock) {
  std::string bytes;
  std::vector<Got> expected;
  for (uint64_t i = 1; i <= 40; ++i) {
    expected.push_back({std::string(50'000 + i, static_cast<char>('a' + i % 26)), i, true, false});
    bytes += expected.back().text + '\n';
  }
  expected.push_back({std::string(3'000'000, 'z'), 41, true, false});
  bytes += expected.back().text + '\n';
  EXPECT_EQ(lines_of(bytes), expected);
}

TEST(LineReader, PaddingBehindEveryLineMayBeRead) {  // AddressSanitizer is the judge
  for (const size_t length : {1, 63, 64, 255, 256, 257}) {
    const std::string bytes(length, 'x');
    LineReader reader(Input::from_bytes("test", bytes), 1000, 64);
    Line line;
    ASSERT_TRUE(reader.next(line));
    const volatile char* behind = line.text.data() + line.text.size();
    for (size_t i = 0; i < kLinePadding; ++i) static_cast<void>(behind[i]);
  }
}

TEST(LineReader, DropsALineThatAStopRequestCut) {
  StopFlag stop;
  const test::PipedInput pipe("whole\ncut", 100);
  LineReader reader(pipe.open(&stop));
  Line line;
  ASSERT_TRUE(reader.next(line));
  EXPECT_EQ(line.text, "whole");
  stop.request(2);
  EXPECT_FALSE(reader.next(line));
  EXPECT_TRUE(reader.input().interrupted());
}

}  // namespace
}  // namespace mlq::jsonl
