#include "lib/http/sse.h"

#include <gtest/gtest.h>

#include <vector>

namespace mlq::http {
namespace {

struct Got {
  std::string data, type, id;
  bool operator==(const Got&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Got& e) {
  return out << e.type << '/' << e.id << '/' << e.data;
}

// Feeds pieces; each lies alone in memory, so that a view that outlives its chunk is found by the sanitizer.
std::vector<Got> events_of(SseParser& parser, const std::vector<std::string_view>& pieces) {
  std::vector<Got> got;
  for (const std::string_view piece : pieces) {
    const std::vector<char> chunk(piece.begin(), piece.end());
    parser.feed({chunk.data(), chunk.size()});
    for (SseEvent event; parser.next(event);)
      got.push_back({std::string(event.data), std::string(event.type), std::string(event.id)});
  }
  return got;
}

std::vector<Got> events_of(const std::vector<std::string_view>& pieces) {
  SseParser parser;
  return events_of(parser, pieces);
}

std::vector<Got> messages(const std::vector<std::string>& data) {
  std::vector<Got> got;
  for (const std::string& each : data) got.push_back({each, "message", ""});
  return got;
}

TEST(Sse, AnEventIsItsDataLinesUntilABlankLine) {
  EXPECT_EQ(events_of({"data: one\n\ndata:two\n\n"}), messages({"one", "two"}));
  EXPECT_EQ(events_of({"data: a\ndata: b\ndata\ndata:\n\n"}), messages({"a\nb\n\n"}));
}

// The examples of the standard, section 9.2.6.
TEST(Sse, TheExamplesOfTheStandardReadAsItSays) {
  EXPECT_EQ(events_of({"data: YHOO\ndata: +2\ndata: 10\n\n"}), messages({"YHOO\n+2\n10"}));
  EXPECT_EQ(events_of({": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third "
                       "event\n\n"}),
            (std::vector<Got>{{"first event", "message", "1"},
                              {"second event", "message", ""},
                              {" third event", "message", ""}}));
  EXPECT_EQ(events_of({"data\n\ndata\ndata\n\ndata:"}), messages({"", "\n"}));
  EXPECT_EQ(events_of({"data:test\n\ndata: test\n\n"}), messages({"test", "test"}));
}

TEST(Sse, AnEventWithoutDataIsNoneAndLosesItsType) {
  EXPECT_EQ(events_of({"event: ping\n\ndata: x\n\n"}), messages({"x"}));
  EXPECT_EQ(events_of({"event: a\nevent: b\ndata: x\n\n"}), (std::vector<Got>{{"x", "b", ""}}));
}

TEST(Sse, TheEndOfTheStreamIsNotTheEndOfAnEvent) {
  EXPECT_EQ(events_of({"data: x\n"}), messages({}));
  EXPECT_EQ(events_of({"data: x\n\r"}), messages({"x"}));
}

TEST(Sse, CommentsAndUnknownFieldsArePassedOver) {
  EXPECT_EQ(events_of({":\n: keep-alive\nDATA: no\n data: no\ndata : no\nfoo\ndata: yes\n\n"}),
            messages({"yes"}));
}

TEST(Sse, AMarkIsDroppedAtTheStartOnly) {
  const std::string mark = "\xEF\xBB\xBF";
  EXPECT_EQ(events_of({mark + "data: x\n\n"}), messages({"x"}));
  EXPECT_EQ(events_of({mark + mark + "data: x\n\n"}), messages({}));
  EXPECT_EQ(events_of({"data: x\n\n" + mark + "data: y\n\n"}), messages({"x"}));
  EXPECT_EQ(events_of({"\xEF", "\xBB", "data: x\n\n"}), messages({}));  // half a mark is text
}

TEST(Sse, AnIdWithNulIsIgnored) {
  EXPECT_EQ(events_of({std::string_view("id: 7\ndata: x\n\nid: \0\ndata: y\n\n", 31)}),
            (std::vector<Got>{{"x", "message", "7"}, {"y", "message", "7"}}));
}

TEST(Sse, RetryIsDigitsOnly) {
  SseParser parser;
  events_of(parser, {"retry: 1500\n"});
  EXPECT_EQ(parser.retry_ms(), 1500u);
  events_of(parser, {"retry: 20s\nretry: -1\nretry\nretry: 99999999999999999999999\n"});
  EXPECT_EQ(parser.retry_ms(), 1500u);
}

constexpr std::string_view kSample =
    "\xEF\xBB\xBF: hello\n\ndata: one\n\nevent: token\nid: 4\ndata: a\ndata:\ndata:  b\n\nretry: "
    "5\n\ndata\n\n"
    "event: lost\n\ndata: {\"x\":\"\xC3\xA9\"}\nid\n\n\n\ndata: last\n\ndata: cut";

std::string with_ends(std::string_view text, std::string_view end) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += end;
    } else {
      out += c;
    }
  }
  return out;
}

TEST(Sse, LineEndsAreEqualInAnyForm) {
  const auto expected = events_of({kSample});
  ASSERT_EQ(expected.size(), 5u);
  EXPECT_EQ(expected[1], (Got{"a\n\n b", "token", "4"}));
  EXPECT_EQ(events_of({with_ends(kSample, "\r")}), expected);
  EXPECT_EQ(events_of({with_ends(kSample, "\r\n")}), expected);
  std::string mixed;
  constexpr std::string_view ends[] = {"\r\n", "\r", "\n", "\r\n", "\n"};
  size_t k = 0;
  for (const char c : kSample) {
    if (c != '\n') {
      mixed += c;
      continue;
    }
    // A CR and then an LF would be one line end.
    const bool joined = mixed.ends_with('\r') && ends[k % 5] == "\n";
    mixed += joined ? "\r\n" : ends[k % 5];
    ++k;
  }
  EXPECT_EQ(events_of({mixed}), expected);
}

TEST(Sse, CutAtAnyByteTheEventsAreTheSame) {
  for (const std::string_view end : {"\n", "\r", "\r\n"}) {
    const std::string text = with_ends(kSample, end);
    const std::string_view view = text;
    const auto expected = events_of({view});
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < view.size(); ++i) {
      ASSERT_EQ(events_of({view.substr(0, i), view.substr(i)}), expected) << i;
      bytes.push_back(view.substr(i, 1));
    }
    EXPECT_EQ(events_of(bytes), expected);
    for (size_t i = 0; i < view.size(); i += 3) {
      for (size_t j = i; j < view.size(); j += 7)
        ASSERT_EQ(events_of({view.substr(0, i), view.substr(i, j - i), view.substr(j)}), expected);
    }
  }
}

TEST(Sse, TheLimitEndsTheStreamHoweverItIsCut) {
  // "data: " and the value are 16 bytes, two values with the LF between them 16.
  for (const std::string_view text :
       {"data: x\n\ndata: 01234567890\n\ndata: y\n\n", "data: x\n\n: 0123456789012345",
        "data: x\n\ndata: 01234567\ndata: 01234567\n\ndata: y\n\n"}) {
    for (size_t i = 0; i <= text.size(); ++i) {
      SseParser parser(16);
      EXPECT_EQ(events_of(parser, {text.substr(0, i), text.substr(i)}), messages({"x"})) << text << i;
      EXPECT_TRUE(parser.failed());
    }
  }
  SseParser parser(16);
  EXPECT_EQ(events_of(parser, {"data: 0123456789\n\ndata: 01234567\ndata: 0123456\n\n"}),
            messages({"0123456789", "01234567\n0123456"}));
  EXPECT_FALSE(parser.failed());
}

TEST(Sse, BeginForgetsTheStreamBefore) {
  SseParser parser(16);
  events_of(parser, {"id: 3\nevent: e\ndata: x\r"});
  parser.begin();
  EXPECT_EQ(events_of(parser, {"\xEF\xBB\xBF", "\ndata: y\n\n"}), messages({"y"}));
  events_of(parser, {std::string(17, 'x')});
  ASSERT_TRUE(parser.failed());
  parser.begin();
  EXPECT_EQ(events_of(parser, {"data: z\n\n"}), messages({"z"}));
}

TEST(Sse, DataOfOneLineIsNotCopied) {
  const std::string chunk = "data: here\n\n";
  SseParser parser;
  parser.feed(chunk);
  SseEvent event;
  ASSERT_TRUE(parser.next(event));
  EXPECT_EQ(event.data.data(), chunk.data() + 6);
}

}  // namespace
}  // namespace mlq::http
