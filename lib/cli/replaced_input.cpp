#include "lib/cli/replaced_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/fd.h"

namespace mlq::cli {
namespace {

namespace fs = std::filesystem;

// By its first bytes: an object, or something compressed that may well hold some.
bool may_be_records(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4> first{};
  if (!fd || ::read(fd.get(), first.data(), first.size()) <= 0) return true;
  const std::string_view text(first.data(), first.size());
  constexpr std::string_view kZstd = "\x28\xb5\x2f\xfd", kGzip = "\x1f\x8b", kXz = "\xfd\x37\x7a";
  const bool object = text.starts_with('{') && text.find('\0') == text.npos;  // and no binary number
  return object || text == kZstd || text.starts_with(kGzip) || text.starts_with(kXz);
}

bool lies_in(const fs::path& file, const fs::path& folder) {
  std::error_code none;
  const fs::path inner = fs::canonical(file, none), outer = fs::canonical(folder, none);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace

void refuse_replaced_input(const std::string& output, bool records, const Parsed& parsed,
                           const std::vector<Positional>& positionals) {
  std::error_code none;
  if (output == "-" || !fs::is_regular_file(output, none)) return;
  for (const auto& [option, value] : parsed.given) {
    // --known names what an earlier run wrote, to be gone on with in its place.
    if (option->complete == Complete::none || option->name == "output" || option->name == "known") continue;
    if (fs::equivalent(output, value, none))
      throw usage_error("-o: {} is the file of --{}, and would be replaced; write to another file", output,
                        option->name);
  }
  const bool named = std::ranges::any_of(
      positionals, [](const Positional& positional) { return positional.complete != Complete::none; });
  if (!named) return;
  const bool may_be_replaced = records && may_be_records(output);
  if (may_be_replaced) return;
  for (const std::string& word : parsed.words) {
    if (fs::is_directory(word, none) && lies_in(output, word))
      throw usage_error("-o: {} is in the input, and would be replaced; write to another file", output);
  }
  refuse_replaced_input(output, parsed.words);
}

void refuse_replaced_input(const std::string& output, const std::vector<std::string>& inputs) {
  std::error_code none;
  if (output == "-" || !fs::is_regular_file(output, none)) return;
  if (std::ranges::any_of(inputs, [&](const auto& input) { return fs::equivalent(output, input, none); }))
    throw usage_error("-o: {} is the input, and would be replaced; write to another file", output);
}

}  // namespace mlq::cli
