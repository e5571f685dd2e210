#include "lib/http/message.h"

#include <string>

#include "gtest/gtest.h"

namespace mlq::http {
namespace {

// What is wrong with a request whose head is `lines`, each without its end; empty if nothing is.
std::string fault_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\r\n";
  text += "\r\n";
  Head head;
  const char* fault = read_request_head(text, head);
  return fault == nullptr ? "" : fault;
}

TEST(HeadScanner, FindsTheEndHoweverTheBytesCome) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  for (size_t step = 1; step <= head.size(); ++step) {
    HeadScanner scanner;
    size_t at = 0;
    HeadScanner::Found found = HeadScanner::Found::more;
    while (found == HeadScanner::Found::more && at < head.size())
      found = scanner.scan(std::string_view(head + "body").substr(0, at = std::min(at + step, head.size())));
    EXPECT_EQ(found, HeadScanner::Found::end);
    EXPECT_EQ(scanner.size(), head.size());
  }
}

TEST(HeadScanner, StopsAtABareLineFeed) {
  for (const char* text : {"GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nHost: h\n", "\n", "a\r\n\n"})
    EXPECT_EQ(HeadScanner().scan(text), HeadScanner::Found::bare_newline) << text;
}

TEST(Head, OfARequestIsReadInPlace) {
  const std::string text =
      "POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nX-Empty:\r\nX-Text: \t a b \xC3\xA9 "
      "\t\r\n\r\n";
  Head head;
  ASSERT_EQ(read_request_head(text, head), nullptr);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/a?b=c");
  EXPECT_FALSE(head.http_1_0);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.form, BodyForm::length);
  EXPECT_EQ(head.length, 12u);
  ASSERT_EQ(head.headers.size(), 4u);
  EXPECT_EQ(head.headers[2].value, "");
  EXPECT_EQ(header_of(head.headers, "x-TEXT"), "a b \xC3\xA9");
  EXPECT_EQ(header_of(head.headers, "x-tex"), "");
}

TEST(Head, SaysWhetherTheConnectionStays) {
  const auto stays = [](std::string version, std::string connection) {
    Head head;
    const std::string text = "GET / " + version + "\r\nHost: h\r\n" + connection + "\r\n";
    EXPECT_EQ(read_request_head(text, head), nullptr);
    return head.keep_alive;
  };
  EXPECT_TRUE(stays("HTTP/1.1", ""));
  EXPECT_FALSE(stays("HTTP/1.1", "Connection: te, Close\r\n"));
  EXPECT_FALSE(stays("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_FALSE(stays("HTTP/1.0", ""));
  EXPECT_TRUE(stays("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

TEST(Head, OfARequestIsRefusedWhereTwoReadersMayDiffer) {
  const std::string line = "POST / HTTP/1.1";
  const std::string host = "Host: h";
  EXPECT_EQ(fault_of({line, host, "Transfer-Encoding: chunked"}), "");
  EXPECT_EQ(fault_of({line, host, "transfer-encoding: Chunked"}), "");
  for (const std::vector<std::string>& lines : std::vector<std::vector<std::string>>{
           {line, host, "Transfer-Encoding: chunked", "Content-Length: 3"},
           {line, host, "Content-Length: 3", "Transfer-Encoding: chunked"},
           {line, host, "Content-Length: 0", "Transfer-Encoding: chunked"},
           {line, host, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"},
           {line, host, "Transfer-Encoding: gzip, chunked"},
           {line, host, "Transfer-Encoding: chunked, chunked"},
           {line, host, "Transfer-Encoding: identity"},
           {line, host, "Transfer-Encoding: xchunked"},
           {line, host,
            "Transfer-Encoding: \x0b"
            "chunked"},
           {line, host, "Transfer-Encoding:"},
           {line, host, "Transfer-Encoding : chunked"},
           {"POST / HTTP/1.0", "Transfer-Encoding: chunked"},
           {line, host, "Content-Length: 3", "Content-Length: 3"},
           {line, host, "Content-Length: 3", "content-length: 4"},
           {line, host, "Content-Length: 3, 3"},
           {line, host, "Content-Length: +3"},
           {line, host, "Content-Length: -3"},
           {line, host, "Content-Length: 0x3"},
           {line, host, "Content-Length: 3 4"},
           {line, host, "Content-Length:"},
           {line, host, "Content-Length: 18446744073709551616"},
           {line, host, " Content-Length: 3"},
           {line, host, "X: a", "\tfolded"},
           {line, host, "X\t: a"},
           {line, host, ": a"},
           {line, host, "no colon"},
           {line, host, "X: a\rb"},
           {line, host, std::string("X: a\0b", 6)},
           {line, host, std::string("X\0: b", 5)},
           {line, host, "X: \x7F"},
           {line, host, "X: \x1B[2J"},
           {line},
           {line, "Host: a", "Host: b"},
           {line, "Host: a", "hOST: a"},
           {"POST /a b HTTP/1.1", host},
           {"POST  / HTTP/1.1", host},
           {"POST / HTTP/1.1 ", host},
           {"POST /\x80 HTTP/1.1", host},
           {std::string("POST /\0 HTTP/1.1", 16), host},
           {"P(ST / HTTP/1.1", host},
           {" / HTTP/1.1", host},
           {"POST / HTTP/2.0", host},
           {"POST / http/1.1", host},
           {"POST / HTTP/1.", host},
           {"POST /", host},
           {"POST", host},
           {"", host},
           {" POST / HTTP/1.1", host}}) {
    EXPECT_NE(fault_of(lines), "") << testing::PrintToString(lines);
  }
}

TEST(Head, OfAReplySaysHowItsBodyEnds) {
  const auto form = [](std::string lines, bool to_head = false) {
    Head head;
    EXPECT_EQ(read_reply_head(lines + "\r\n", to_head, head), nullptr) << lines;
    return head.form;
  };
  EXPECT_EQ(form("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"), BodyForm::length);
  EXPECT_EQ(form("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", true), BodyForm::none);
  EXPECT_EQ(form("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n"), BodyForm::chunked);
  EXPECT_EQ(form("HTTP/1.0 200 \r\n"), BodyForm::until_close);
  EXPECT_EQ(form("HTTP/1.1 204 No Content\r\n"), BodyForm::none);
  EXPECT_EQ(form("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n"), BodyForm::none);
  EXPECT_EQ(form("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"), BodyForm::none);
}

TEST(Head, OfAReplyIsRefusedIfItIsNone) {
  for (const char* line :
       {"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1  200 OK", "HTTP/1.1",
        "ICY 200 OK..", "HTTP/1.1 200 \x01", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1"}) {
    Head head;
    EXPECT_NE(read_reply_head(std::string(line) + "\r\n\r\n", false, head), nullptr) << line;
  }
}

// The data of a chunked body that comes `step` bytes at a time; what is behind it goes to `rest`.
std::string data_of(std::string_view text, size_t step, ChunkReader& chunks, std::string& rest) {
  std::string data;
  for (size_t at = 0; at < text.size(); at += step) {
    std::string_view bytes = text.substr(at, step);
    for (std::string_view piece; !(piece = chunks.next(bytes)).empty();) data += piece;
    rest += bytes;
  }
  return data;
}

TEST(Chunks, AreTakenApartHoweverTheyCome) {
  const std::string text = "3\r\nabc\r\n00A;ext=\"1\"\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\nnext";
  for (size_t step = 1; step <= text.size(); ++step) {
    ChunkReader chunks;
    std::string rest;
    EXPECT_EQ(data_of(text, step, chunks, rest), "abc0123456789");
    EXPECT_TRUE(chunks.done());
    EXPECT_EQ(rest, "next");
  }
}

TEST(Chunks, AreRefusedWhereTwoReadersMayDiffer) {
  const std::string long_extension =
      "1;" + std::string(ChunkReader::kMaxExtra + 1, 'e') + "\r\na\r\n0\r\n\r\n";
  for (const std::string& text :
       {std::string("3\nabc\r\n0\r\n\r\n"), std::string("3\r\nabc\n0\r\n\r\n"),
        std::string("3\r\nabcd\r\n0\r\n\r\n"), std::string("0x3\r\nabc\r\n0\r\n\r\n"),
        std::string("-1\r\n\r\n"), std::string("\r\n0\r\n\r\n"), std::string("3 \r\nabc\r\n0\r\n\r\n"),
        std::string("10000000000000000\r\n"), std::string("3;a\nb\r\nabc\r\n"),
        std::string("0\r\nX: 1\n\r\n"), std::string("0\r\n\n"), long_extension}) {
    ChunkReader chunks;
    std::string rest;
    data_of(text, 5, chunks, rest);
    EXPECT_TRUE(chunks.failed()) << text.substr(0, 40);
  }
}

}  // namespace
}  // namespace mlq::http
