#include "lib/serve/gateway/emitter.h"

#include <gtest/gtest.h>

#include <latch>
#include <string>

#include "lib/base/io.h"
#include "tests/support/temp_dir.h"

namespace mlq::serve {
namespace {

size_t count_of(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; ++at) ++count;
  return count;
}

// The request path goes on while a reader sleeps; what it missed is counted where it is missing.
TEST(ServeEmitter, WhatASlowReaderMissesIsCountedInALostRecord) {
  const test::TempDir dir;
  const std::string path = dir / "records";
  records::Writer writer(Output::open(path), false);
  Emitter emitter(writer, parse_emit("state"));
  std::latch held(1), go_on(1);
  emitter.listen([&](std::string_view) {
    held.count_down();
    go_on.wait();
    return false;
  });
  emitter.emit(records::Listen{"data", "first"});
  held.wait();
  for (size_t i = 0; i < Emitter::kMostRecords + 10; ++i) emitter.emit(records::Listen{"data", "more"});
  go_on.count_down();
  emitter.stop();
  writer.end({});
  EXPECT_EQ(emitter.lost(), 10u);
  const std::string text = read_file(path);
  EXPECT_EQ(count_of(text, "\"listen\""), Emitter::kMostRecords + 1);
  EXPECT_EQ(count_of(text, "\"type\":\"lost\""), 1u);
  EXPECT_EQ(count_of(text, "\"records\":10}"), 1u);
}

TEST(ServeEmitter, WritesOnlyWhatWasAskedFor) {
  const test::TempDir dir;
  const std::string path = dir / "records";
  records::Writer writer(Output::open(path), false);
  {
    Emitter emitter(writer, parse_emit("window"));
    emitter.emit(records::Listen{"data", "x"});
    emitter.emit(records::ServeWindow{});
    emitter.flush();
  }
  writer.end({});
  const std::string text = read_file(path);
  EXPECT_EQ(count_of(text, "\"type\""), 1u) << text;
  EXPECT_EQ(count_of(text, "\"serve_window\""), 1u) << text;
}

TEST(ServeEmitter, AListIsParsedAndPrintedBack) {
  for (const char* text : {"state,window", "state,window,arrival,request:0.01,batch", "request"})
    EXPECT_EQ(emit_text(parse_emit(text)), text);
  EXPECT_EQ(emit_text(parse_emit("request:1%")), "request:0.01");
  for (const char* text : {"states", "window:1%", "request:2", "request:", ","}) {
    EXPECT_ANY_THROW(parse_emit(text)) << text;
  }
}

}  // namespace
}  // namespace mlq::serve
