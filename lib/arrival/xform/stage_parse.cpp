#include <algorithm>

#include "lib/arrival/xform/stage.h"

namespace mlq::arrival {
namespace {

constexpr std::string_view kBlank = " \t\n\r";
// In the order of Dequantise.
constexpr std::string_view kSpreads[] = {"none", "uniform", "even"};

// Words between blanks; quotes, single or double, keep blanks and end nothing, as in a shell.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (const char c : text) {
    const bool blank = kBlank.find(c) != std::string_view::npos;
    if (quote == 0 && blank) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) throw usage_error("stage \"{}\": the quote {} is not closed", text, quote);
  return words;
}

std::string quoted(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\n\r'\"") == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\"'\"'";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// The words of one stage and what it should look like, for messages.
struct Words {
  std::string_view text;
  std::vector<std::string> words;

  size_t arguments() const { return words.size() - 1; }
  const std::string& argument(size_t k) const { return words[k + 1]; }
  [[noreturn]] void refuse(std::string_view expected) const {
    throw usage_error("stage \"{}\": expected {}", text, expected);
  }
  void want(size_t least, size_t most, std::string_view expected) const {
    if (arguments() < least || arguments() > most) refuse(expected);
  }
  // Puts the stage in front of what is wrong with one of its values.
  template <class Parse>
  auto value(Parse parse, std::string_view argument) const {
    try {
      return parse(argument);
    } catch (const Error& error) {
      throw usage_error("stage \"{}\": {}", text, error.what());
    }
  }
};

Stage parse_scale_rate(const Words& w) {
  constexpr std::string_view expected = "scale-rate X, X > 0, as in \"scale-rate 1.5\" or \"scale-rate 3/2\"";
  w.want(1, 1, expected);
  const Ratio factor = w.value(parse_ratio, w.argument(0));
  if (factor.num == 0) w.refuse(expected);
  return ScaleRateStage{factor};
}

Stage parse_thin(const Words& w) {
  constexpr std::string_view expected = "thin P, 0 <= P <= 1, as in \"thin 0.1\"";
  w.want(1, 1, expected);
  const Ratio keep = w.value(parse_ratio, w.argument(0));
  if (keep.num > keep.den) w.refuse(expected);
  return ThinStage{keep};
}

Stage parse_clip(const Words& w) {
  constexpr std::string_view expected =
      "clip A..B [keep-time], A < B, one of them may be left out, as in \"clip 10s..60s\"";
  w.want(1, 2, expected);
  const std::string_view range = w.argument(0);
  const size_t dots = range.find("..");
  if (dots == std::string_view::npos ||
      (w.arguments() == 2 && w.argument(1) != "keep-time" && w.argument(1) != "--keep-time"))
    w.refuse(expected);
  const std::string_view from = range.substr(0, dots);
  const std::string_view to = range.substr(dots + 2);
  ClipStage clip;
  if (!from.empty()) clip.from_ns = w.value(parse_duration, from);
  if (!to.empty()) clip.to_ns = w.value(parse_duration, to);
  if (!clip.from_ns && !clip.to_ns) w.refuse(expected);
  if (clip.to_ns && clip.from_ns.value_or(0) >= *clip.to_ns) w.refuse(expected);
  clip.keep_time = w.arguments() == 2;
  return clip;
}

Stage parse_shift(const Words& w) {
  w.want(1, 1, "shift D, as in \"shift 5s\" or \"shift -250ms\"");
  std::string_view by = w.argument(0);
  const bool back = by.starts_with('-');
  if (back || by.starts_with('+')) by.remove_prefix(1);
  const int64_t distance = w.value(parse_duration, by);
  return ShiftStage{back ? -distance : distance};
}

Stage parse_loop(const Words& w) {
  constexpr std::string_view expected = "loop N or loop T, both > 0, as in \"loop 3\" or \"loop 1h\"";
  w.want(1, 1, expected);
  const std::string& much = w.argument(0);
  if (much.empty()) w.refuse(expected);
  const bool count = std::string_view("0123456789.kMGT").find(much.back()) != std::string_view::npos;
  LoopStage loop;
  if (count) {
    loop.times = w.value(parse_count, much);
  } else {
    loop.until_ns = w.value(parse_duration, much);
  }
  if (loop.times == 0u || loop.until_ns == 0) w.refuse(expected);
  return loop;
}

template <class Join>
Stage parse_join(const Words& w, std::string_view expected) {
  if (w.arguments() == 0) w.refuse(expected);
  if (std::count(w.words.begin() + 1, w.words.end(), std::string()) > 0) w.refuse(expected);
  return Join{{w.words.begin() + 1, w.words.end()}};
}

Stage parse_dequantise(const Words& w) {
  constexpr std::string_view expected =
      "dequantise none, uniform or even, then the step of the clock, P > 0, if it is known, as in "
      "\"dequantise uniform 1s\"";
  w.want(1, 2, expected);
  DequantiseStage stage;
  const auto* mode = std::find(std::begin(kSpreads), std::end(kSpreads), w.argument(0));
  if (mode == std::end(kSpreads)) w.refuse(expected);
  stage.mode = static_cast<Dequantise>(mode - std::begin(kSpreads));
  if (w.arguments() == 2) stage.resolution_ns = w.value(parse_duration, w.argument(1));
  if (stage.resolution_ns == 0) w.refuse(expected);
  return stage;
}

// Decimal where that is exact and short, else a fraction.
std::string format_ratio(const Ratio& ratio) {
  uint64_t scale = 1;
  for (int digits = 0; digits <= 6; ++digits, scale *= 10) {
    if (scale % ratio.den != 0) continue;
    const auto scaled = static_cast<unsigned __int128>(ratio.num) * (scale / ratio.den);
    const auto whole = static_cast<uint64_t>(scaled / scale);
    if (digits == 0) return fmt::format("{}", whole);
    return fmt::format("{}.{:0{}}", whole, static_cast<uint64_t>(scaled % scale), digits);
  }
  return fmt::format("{}/{}", ratio.num, ratio.den);
}

std::string format_files(std::string_view name, const std::vector<std::string>& files) {
  std::string out(name);
  for (const std::string& file : files) out += " " + quoted(file);
  return out;
}

struct Format {
  std::string operator()(const ScaleRateStage& s) const { return "scale-rate " + format_ratio(s.factor); }
  std::string operator()(const ThinStage& s) const { return "thin " + format_ratio(s.keep); }
  std::string operator()(const ClipStage& s) const {
    return fmt::format("clip {}..{}{}", s.from_ns ? format_duration(*s.from_ns) : "",
                       s.to_ns ? format_duration(*s.to_ns) : "", s.keep_time ? " keep-time" : "");
  }
  std::string operator()(const ShiftStage& s) const {
    return s.by_ns < 0 ? "shift -" + format_duration(-s.by_ns) : "shift " + format_duration(s.by_ns);
  }
  std::string operator()(const LoopStage& s) const {
    return s.times ? fmt::format("loop {}", *s.times) : "loop " + format_duration(*s.until_ns);
  }
  std::string operator()(const SpliceStage& s) const { return format_files("splice", s.files); }
  std::string operator()(const SuperposeStage& s) const { return format_files("superpose", s.files); }
  std::string operator()(const DequantiseStage& s) const {
    return fmt::format("dequantise {}{}", kSpreads[static_cast<size_t>(s.mode)],
                       s.resolution_ns ? " " + format_duration(*s.resolution_ns) : "");
  }
};

}  // namespace

Stage parse_stage(std::string_view text) {
  const Words w{text, words_of(text)};
  const std::string_view name = w.words.empty() ? std::string_view() : std::string_view(w.words.front());
  if (name == "scale-rate") return parse_scale_rate(w);
  if (name == "thin") return parse_thin(w);
  if (name == "clip") return parse_clip(w);
  if (name == "shift") return parse_shift(w);
  if (name == "loop") return parse_loop(w);
  if (name == "splice") return parse_join<SpliceStage>(w, "splice FILE..., one name at least");
  if (name == "superpose") return parse_join<SuperposeStage>(w, "superpose FILE..., one name at least");
  if (name == "dequantise") return parse_dequantise(w);
  throw usage_error(
      "no stage \"{}\"; there are scale-rate, thin, clip, shift, loop, splice, superpose and dequantise",
      text);
}

std::string format_stage(const Stage& stage) { return std::visit(Format(), stage); }

}  // namespace mlq::arrival
