// What the tests of misfortunes have in common.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/misfortune/commands.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace mlq::test {

using Matching = std::function<bool(const Typical&)>;

// The rows for which `matching` holds, for INSTANTIATE_TEST_SUITE_P.
inline std::vector<Typical> commands_where(const Matching& matching) {
  std::vector<Typical> rows;
  for (const Typical& row : typical_commands()) {
    if (matching(row)) rows.push_back(row);
  }
  return rows;
}

inline std::string test_name(const testing::TestParamInfo<Typical>& info) { return info.param.name; }

// A small trace as programs write it.
inline std::string run_line() {
  return R"({"type":"run","tool":"t","version":"1","schema":1,"argv":["t"]})"
         "\n";
}
inline std::string arrival_line(int64_t i) {
  return R"({"type":"arrival","t_ns":)" + std::to_string(i * 1'000'000 + i * i % 977) + "}\n";
}
inline std::string arrivals(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += arrival_line(i);
  return text;
}
inline std::string end_line(int count) { return R"({"type":"end","count":)" + std::to_string(count) + "}\n"; }

// Input that the command accepts.
inline std::string good_input(const Typical& command) {
  if (command.reads == Reads::trace) return run_line() + arrivals(200) + end_line(200);
  return command.input;
}

inline Command on(const Typical& typical, std::string input) {
  Command command;
  command.argv = typical.argv;
  if (typical.needs_output) command.argv.insert(command.argv.end(), {"-o", "-"});
  command.input = std::move(input);
  return command;
}

// Names where its output goes.
inline void write_to(Command& command, const Typical& typical, const std::string& path) {
  if (typical.needs_output)
    command.argv.back() = path;
  else
    command.argv.insert(command.argv.end(), {typical.output, path});
}

// Names the file in the place of standard input.
inline void read_file(Command& command, const std::string& path) {
  if (const auto dash = std::find(command.argv.begin(), command.argv.end(), "-"); dash != command.argv.end())
    *dash = path;
}

inline std::string last_line(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  const size_t at = text.rfind('\n');
  return std::string(at == text.npos ? text : text.substr(at + 1));
}

// The exit status, with what was said if it is another; and, in a test of a Typical, every line on standard
// error begins with the program's name.
#define EXPECT_STATUS(result, wanted) EXPECT_EQ((result).status, wanted) << (result).summary()
inline void expect_prefixed(const Result& result, const std::string& program) {
  std::string_view rest = result.err;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size() - 1);
    EXPECT_TRUE(rest.starts_with(program + ": ")) << "standard error: " << rest.substr(0, end);
    rest.remove_prefix(end + 1);
  }
}

#define EXPECT_SAYS(result, text)                                              \
  EXPECT_NE((result).err.find(text), std::string::npos) << (result).summary(); \
  expect_prefixed(result, GetParam().argv[0])

}  // namespace mlq::test
