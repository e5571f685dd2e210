#include "lib/serve/protocol/tensor_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "lib/serve/protocol/tensor_numbers.h"

namespace mlq::serve {
namespace {

Shape shape_of(std::vector<uint64_t> dims) {
  Shape shape;
  shape.rank = static_cast<uint8_t>(dims.size());
  std::ranges::copy(dims, shape.dims.begin());
  return shape;
}

struct Scan {
  bool good = false;
  std::string error;
  TensorText text;
  std::vector<size_t> commas;
};

Scan plain(std::string_view text, const Shape& shape, ElementKind kind, std::span<const uint64_t> cuts = {},
           JsonRules rules = JsonRules::strict) {
  Scan out;
  const auto error = scan_tensor_text_plainly(text, shape, kind, rules, cuts, out.text, out.commas);
  out.good = !error;
  if (error) out.error = fmt::format("{}: {}", error->offset, error->message);
  return out;
}

bool accepts(std::string_view text, std::vector<uint64_t> shape, ElementKind kind = ElementKind::number) {
  return plain(text, shape_of(shape), kind).good;
}

TEST(TensorText, FlatOrAsDeepAsTheRank) {
  EXPECT_TRUE(accepts("[1,2,3,4]", {2, 2}));
  EXPECT_TRUE(accepts("[[1,2],[3,4]]", {2, 2}));
  EXPECT_TRUE(accepts("[[[1],[2]],[[3],[4]]]", {2, 2, 1}));
  EXPECT_FALSE(accepts("[[1,2],[3,4]]", {2, 2, 1}));
  EXPECT_FALSE(accepts("[[[1,2],[3,4]]]", {2, 2}));
  EXPECT_FALSE(accepts("[[1,2],3,4]", {2, 2}));
  EXPECT_FALSE(accepts("[1,2,[3,4]]", {2, 2}));
  EXPECT_FALSE(accepts("[[1,2]]", {2}));
  EXPECT_FALSE(accepts("[[1,2],[3,4]", {2, 2}));
  EXPECT_TRUE(accepts("[]", {0}));
  EXPECT_TRUE(accepts("[[],[]]", {2, 0}));
  EXPECT_FALSE(accepts("[]", {1}));
}

TEST(TensorText, RaggedIsSeen) {
  const Scan ragged = plain("[[1,2,3],[4]]", shape_of({2, 2}), ElementKind::number);
  EXPECT_TRUE(ragged.good);
  EXPECT_TRUE(ragged.text.ragged);
  EXPECT_FALSE(plain("[[1,2],[3,4]]", shape_of({2, 2}), ElementKind::number).text.ragged);
}

TEST(TensorText, CutsAreTheCommasBeforeRows) {
  const std::vector<uint64_t> cuts = {1, 3};
  const std::string flat = "[ 1,2, 3,4 , 5,6,7,8]";
  const Scan a = plain(flat, shape_of({4, 2}), ElementKind::number, cuts);
  EXPECT_EQ(a.commas, (std::vector<size_t>{5, 14 + 2}));
  const std::string nested = "[[1,2], [3,4] ,[5,6],[7,8]]";
  const Scan b = plain(nested, shape_of({4, 2}), ElementKind::number, cuts);
  EXPECT_EQ(b.commas, (std::vector<size_t>{6, 20}));
  EXPECT_EQ(nested.substr(b.text.begin, b.text.end - b.text.begin), "[1,2], [3,4] ,[5,6],[7,8]");
}

TEST(TensorText, ErrorsNameTheOffset) {
  EXPECT_EQ(plain("[1,2,,3]", shape_of({3}), ElementKind::number).error, "5: a number is missing here");
  EXPECT_EQ(plain("[1,2,3]", shape_of({4}), ElementKind::number).error,
            "6: the data hold 3 elements, the shape says 4");
}

TEST(TensorText, NumbersOfJsonAndNoOthers) {
  for (const std::string_view good :
       {"0", "-0", "0.5", "-0.0", "10", "1e5", "1E+5", "1e-05", "1.25e10", "0e0"}) {
    EXPECT_TRUE(accepts(fmt::format("[{}]", good), {1})) << good;
    EXPECT_EQ(accepts(fmt::format("[{}]", good), {1}, ElementKind::integer),
              good.find_first_of(".eE") == std::string_view::npos);
  }
  for (const std::string_view bad :
       {"",    "-",   "+1",    "01",    "-01",   "00",   "1.",    ".5",    "-.5",  "1e",
        "1e+", "e5",  "1.2.3", "1e5e5", "1e5.2", "1-2",  "1+2",   "0x3",   "NaN",  "Infinity",
        "1 2", "--1", "1e--5", "1_0",   "true",  "null", "\"1\"", "1e+-5", "1.e5", "1/2"})
    EXPECT_FALSE(accepts(fmt::format("[{}]", bad), {1})) << bad;
}

TEST(TensorText, LiberalRulesTakeWhatPythonWrites) {
  const auto liberal = [](std::string_view text, ElementKind kind) {
    return plain(text, shape_of({2}), kind, {}, JsonRules::liberal).good;
  };
  EXPECT_TRUE(liberal("[NaN,-Infinity]", ElementKind::number));
  EXPECT_TRUE(liberal("[null,1.5]", ElementKind::integer));
  EXPECT_TRUE(liberal("[0,true]", ElementKind::boolean));
  EXPECT_TRUE(liberal("[\"\\ud800\",\"\xff\n\"]", ElementKind::string));
  EXPECT_FALSE(liberal("[NaN NaN]", ElementKind::number));
  EXPECT_FALSE(liberal("[\"a\",1]", ElementKind::string));
  EXPECT_FALSE(liberal("[\"\\\",\"a\"]", ElementKind::string));
}

// The vector code and its definition on texts that are right or nearly so.
class Twins : public testing::Test {
 protected:
  uint64_t pick(uint64_t n) { return random_() % n; }

  void compare(const std::string& text, const Shape& shape, ElementKind kind,
               std::span<const uint64_t> cuts) {
    const Scan definition = plain(text, shape, kind, cuts);
    Scan fast;
    fast.good = scan_numbers(text, shape, kind == ElementKind::integer, cuts, fast.text, fast.commas);
    if (fast.good) {
      ASSERT_TRUE(definition.good) << text << "\n" << definition.error;
      ASSERT_EQ(fast.commas, definition.commas) << text;
      ASSERT_EQ(fast.text.form, definition.text.form) << text;
      ASSERT_EQ(fast.text.begin, definition.text.begin) << text;
      ASSERT_EQ(fast.text.end, definition.text.end) << text;
      ASSERT_EQ(fast.text.past, definition.text.past) << text;
      ASSERT_FALSE(definition.text.ragged) << text;
      ++both_;
    } else if (definition.good && definition.text.begin < definition.text.end && !definition.text.ragged) {
      // It may leave arrays without elements and ragged ones to the definition, nothing else.
      ASSERT_EQ(*element_count(shape.all()), 0u) << text;
    }
  }

  std::string number(bool integer) {
    static const std::vector<std::string> kinds = {"0", "-0", "7", "-123456789012345678901234567890", "42"};
    static const std::vector<std::string> reals = {
        "0.5",
        "-1.25e-10",
        "1e5",
        "3E+07",
        "0e0",
        "123456.789012345678",
        "-0.000000000000000000000000000000000000000000000000000000000001",
        "1e00000000000000000000000000000000000000000000000000000000000005"};
    return integer || pick(2) == 0 ? kinds[pick(kinds.size())] : reals[pick(reals.size())];
  }
  std::string blank() {
    if (pick(4) > 0) return "";
    return std::string(pick(12) == 0 ? pick(150) : pick(3), " \n\t\r"[pick(4)]);
  }
  std::string array(std::span<const uint64_t> shape, bool integer) {
    if (shape.empty()) return number(integer);
    std::string out = "[" + blank();
    for (uint64_t k = 0; k < shape[0]; ++k)
      out += (k > 0 ? "," + blank() : "") + array(shape.subspan(1), integer) + blank();
    return out + "]";
  }
  void mutate(std::string& text) {
    static const std::string likely = "0123456789-+.eE,[] \nx\"";
    for (uint64_t n = pick(3); n > 0 && !text.empty(); --n) {
      const size_t at = pick(text.size());
      if (pick(3) == 0) {
        text.erase(at, 1 + pick(2));
      } else if (pick(2) == 0) {
        text.insert(at, 1, likely[pick(likely.size())]);
      } else {
        text[at] = likely[pick(likely.size())];
      }
    }
  }

  std::mt19937_64 random_{7};
  uint64_t both_ = 0;
};

TEST_F(Twins, AgreeOnRandomTexts) {
  for (int trial = 0; trial < 60'000; ++trial) {
    std::vector<uint64_t> dims;
    for (uint64_t rank = 1 + pick(4); rank > 0; --rank) dims.push_back(pick(20) == 0 ? 0 : 1 + pick(5));
    if (pick(3) == 0) dims[0] = 1 + pick(60);
    const Shape shape = shape_of(dims);
    const bool integer = pick(3) == 0;
    const std::vector<uint64_t> flat = {element_count(dims).value()};
    std::string text =
        array(pick(2) == 0 ? std::span<const uint64_t>(flat) : std::span<const uint64_t>(dims), integer);
    mutate(text);
    text += pick(2) == 0 ? "" : R"(,"name":"01.2.3 ]"})";
    std::vector<uint64_t> cuts;
    for (uint64_t row = 1; row < dims[0]; ++row)
      if (pick(2) == 0) cuts.push_back(row);
    compare(text, shape, integer ? ElementKind::integer : ElementKind::number, cuts);
    if (HasFatalFailure()) return;
  }
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) EXPECT_GT(both_, 15'000u);
#endif
}

// Every slip of a number, at every place of a block of 64 bytes and across its border.
TEST_F(Twins, AgreeOnBadNumbersAtEveryPlaceOfABlock) {
  for (const std::string_view token : {"1.5e+7",
                                       "-0.25",
                                       "1.2.3",
                                       "1e5e5",
                                       "1e5.2",
                                       "01",
                                       "-01",
                                       "1.",
                                       ".5",
                                       "1e",
                                       "1e+",
                                       "-",
                                       "--1",
                                       "1-2",
                                       "1+2",
                                       "1 2",
                                       "1,,2",
                                       "1e+-5",
                                       "1.e5",
                                       "0x3",
                                       "1e12345678901234567890",
                                       "0.12345678901234567890.5",
                                       "+1",
                                       "[1]",
                                       "1]",
                                       "",
                                       " ",
                                       "1 ",
                                       " 1"})
    for (size_t before = 0; before < 140; ++before)
      for (const char* filler : {"1", " ", "7,"}) {
        std::string text = "[";
        uint64_t count = 1;
        if (*filler == '7') {
          for (size_t k = 0; k < before / 2; ++k, ++count) text += "7,";
          if (before % 2 == 1) text += " ";
        } else if (*filler == '1' && before > 0) {
          text += std::string(before, '1') + ",", ++count;
        } else {
          text += std::string(before, ' ');
        }
        text.append(token).append("]");
        for (const uint64_t n : {count, count + 1}) compare(text, shape_of({n}), ElementKind::number, {});
        if (HasFatalFailure()) return;
      }
}

TEST_F(Twins, AgreeOnEveryByteAtEveryPlaceOfANumber) {
  const std::string good = "[ 10 , -2.5e+3 ,7]";
  for (size_t at = 1; at < good.size(); ++at)
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = good;
      text[at] = static_cast<char>(byte);
      for (const uint64_t n : {2, 3, 4}) compare(text, shape_of({n}), ElementKind::number, {});
      if (HasFatalFailure()) return;
    }
}

TEST_F(Twins, NeverLookBehindTheEndOfTheText) {
  const std::string good = "[[1.5,2],[3,4e1]] ";
  for (size_t length = 0; length < good.size(); ++length) {
    // An allocation of its own, so that AddressSanitizer sees its end.
    const std::vector<char> exact(good.begin(), good.begin() + static_cast<ptrdiff_t>(length));
    TensorText out;
    std::vector<size_t> commas;
    EXPECT_EQ(scan_tensor_text({exact.data(), length}, shape_of({2, 2}), ElementKind::number,
                               JsonRules::strict, {}, out, commas)
                  .has_value(),
              length < good.size() - 1);
  }
}

}  // namespace
}  // namespace mlq::serve
