// From records to curves.
#include "lib/plot/gallery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>

#include "lib/plot/tensors.h"
#include "lib/records/registry.h"

namespace mlq::plot {
namespace {

Stream stream_of(const std::string& text, const std::string& name = "a.jsonl") {
  records::Reader reader(Input::from_bytes(name, text), {});
  return read_stream(reader, name);
}

std::vector<Stream> one(const std::string& text) {
  std::vector<Stream> streams;
  streams.push_back(stream_of(text));
  return streams;
}

Choice choose_one(const std::vector<Stream>& streams, const std::string& kind, const std::string& picture) {
  return choose(streams, kind, picture.empty() ? std::vector<std::string>() : std::vector{picture}).at(0);
}

Picture drawn(const std::string& text, const std::string& kind, const std::string& picture) {
  const std::vector<Stream> streams = one(text);
  return draw(streams, choose_one(streams, kind, picture));
}

const Curve& curve_named(const Picture& picture, const std::string& label) {
  static const Curve none{"", Shape::line, {}};
  for (const Curve& curve : picture.curves) {
    if (curve.label.starts_with(label)) return curve;
  }
  ADD_FAILURE() << "no curve " << label;
  return none;
}

std::string arrivals(int n, int64_t gap_ns) {
  std::string out;
  for (int i = 0; i < n; ++i) out += fmt::format("{{\"type\":\"arrival\",\"t_ns\":{}}}\n", i * gap_ns);
  return out;
}

TEST(PlotGallery, TheFirstRecordDecidesAndOthersAreOffered) {
  const std::vector<Stream> streams = one(
      "{\"type\":\"unheard_of\",\"x\":1}\n"
      "{\"type\":\"tensor\",\"name\":\"h.3.w\",\"file\":\"f\",\"shape\":[2],\"dtype\":\"F32\",\"elems\":2,"
      "\"size_bytes\":8,\"format\":\"int8\",\"bits_per_weight\":8.5,\"snr_db\":40}\n" +
      arrivals(3, 1'000'000));
  EXPECT_EQ(choose_one(streams, "", "").kind->name, "quant");
  EXPECT_EQ(choose_one(streams, "", "").picture->name, "error");
  EXPECT_EQ(choose_one(streams, "trace", "").picture->name, "rate");
  EXPECT_EQ(choose_one(streams, "", "gaps").kind->name, "trace");
  const std::vector<Choice> all = choices(streams);
  EXPECT_EQ(all.size(), 5u);  // error, layers, sizes; rate, gaps; no idc without two complete windows
}

void expect_error(const std::vector<Stream>& streams, const std::string& kind, const std::string& picture,
                  ExitKind exit, const std::string& says) {
  try {
    choose_one(streams, kind, picture);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), exit);
    EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
  }
}

TEST(PlotGallery, WhatCannotBeDrawnIsToldWithWhatCan) {
  expect_error(one(""), "", "", ExitKind::input, "a.jsonl: nothing to draw; see mlq-plot(1)");
  expect_error(one("{\"type\":\"lost\",\"t_ns\":1,\"records\":2}\n"), "", "", ExitKind::input,
               "nothing to draw (lost is an event, to be read)");
  expect_error(one(""), "", "nope", ExitKind::usage,
               "there is no \"nope\"; of a.jsonl can be drawn: nothing");
  expect_error(one(arrivals(3, 1'000)), "", "nope", ExitKind::usage,
               "of a.jsonl can be drawn: trace: rate, gaps");
  expect_error(one(arrivals(3, 1'000)), "tune", "", ExitKind::input, "what can be drawn: trace: rate, gaps");
  expect_error(one(arrivals(3, 1'000)), "", "ccdf", ExitKind::input, "nothing to draw for --picture ccdf");
  expect_error(one(arrivals(3, 1'000)), "trace", "ccdf", ExitKind::usage, "it has rate, gaps, idc, acf, qq");
}

TEST(PlotGallery, SeveralPicturesComeInTheOrderOfTheirNames) {
  const std::vector<Stream> streams = one(arrivals(3, 1'000'000));
  const auto names = [&](const std::vector<std::string>& wanted) {
    std::vector<std::string> out;
    for (const Choice& choice : choose(streams, "", wanted)) out.emplace_back(choice.picture->name);
    return out;
  };
  EXPECT_EQ(names({"gaps", "rate"}), (std::vector<std::string>{"gaps", "rate"}));
  EXPECT_EQ(names({"all"}), (std::vector<std::string>{"rate", "gaps"}));
}

// A record of a type with a value in each of its fields.
std::string any_record(const records::TypeInfo& info) {
  static const std::map<std::string_view, std::string> kValues = {
      {"outcome.class", "\"*\""},
      {"outcome.window", "null"},
      {"summary.class", "\"*\""},
      {"summary.window", "null"},
      {"load_window.class", "\"*\""},
      {"hist.metric", "\"latency\""},
      {"hist.class", "\"*\""},
      {"hist.window", "null"},
      {"hist.unit", "\"ns\""},
      {"hist.sub_bits", "7"},
      {"hist.sum", "\"5\""},
      {"hist.count", "1"},
      {"hist.min", "5"},
      {"hist.max", "5"},
      {"hist.clamped", "0"},
      {"hist.bins", "\"5:1\""},
      {"bin.class", "\"*\""},
      {"trace_stat.class", "\"*\""},
      {"score.seed", "null"},
      {"suite_score.seed", "null"},
      {"link.kind", "\"delta\""},
      {"delta.name", "\"h.1.w\""},
      {"result.outcome", "\"ok\""},
  };
  std::string out = fmt::format("{{\"type\":\"{}\"", info.type);
  for (const records::FieldInfo& field : info.fields) {
    const auto given = kValues.find(fmt::format("{}.{}", info.type, field.name));
    const bool list = field.type.find("array") != std::string_view::npos ||
                      field.type.find("[]") != std::string_view::npos ||
                      field.type.find("list") != std::string_view::npos;
    const std::string value = given != kValues.end()                             ? given->second
                              : list                                             ? "[]"
                              : field.type == "string"                           ? "\"a\""
                              : field.type == "bool"                             ? "true"
                              : field.type == "double"                           ? "1.5"
                              : field.type.find("int") != std::string_view::npos ? "5"
                                                                                 : "{}";
    out += fmt::format(",\"{}\":{}", field.name, value);
  }
  return out + "}\n";
}

TEST(PlotGallery, EveryRecordOfMlqIsDrawnOrSaidNotToBe) {
  std::string manual;
  {
    std::ifstream file(MLQ_SOURCE_DIR "/man/mlq-plot.1.in");
    manual.assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto none = [](std::string_view type) {
    return std::find_if(not_drawn().begin(), not_drawn().end(),
                        [&](const NotDrawn& each) { return each.type == type; });
  };
  for (const records::TypeInfo& info : records::registry()) {
    if (none(info.type) == not_drawn().end()) {
      EXPECT_FALSE(choices(one(any_record(info))).empty()) << any_record(info);
      continue;
    }
    EXPECT_NE(manual.find(fmt::format("\n.B {}\n", info.type)), std::string::npos) << info.type;
    for (const Kind& kind : kinds())
      EXPECT_EQ(std::count(kind.types.begin(), kind.types.end(), info.type), 0) << info.type;
  }
  for (const NotDrawn& each : not_drawn()) {
    const auto& all = records::registry();
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const auto& info) { return info.type == each.type; }))
        << each.type;
  }
}

TEST(PlotGallery, TheManualHasEveryPicture) {
  std::ifstream file(MLQ_SOURCE_DIR "/man/mlq-plot.1.in");
  std::string manual{std::istreambuf_iterator<char>(file), {}};
  std::erase(manual, '\\');
  for (const Kind& kind : kinds()) {
    const size_t begin = manual.find(fmt::format("\n.SS {}\n", kind.name));
    ASSERT_NE(begin, std::string::npos) << kind.name;
    const std::string section = manual.substr(begin, manual.find("\n.S", begin + 1) - begin);
    for (const PictureKind& picture : kind.pictures) {
      const auto named = [&](std::string_view form) {
        return section.find(fmt::format(fmt::runtime(form), picture.name)) != std::string::npos;
      };
      EXPECT_TRUE(named(".B {}\n") || named(".BR {}\n") || named(".BR {} \"") || named("\" {} \"") ||
                  named("\" {}\n"))
          << kind.name << ' ' << picture.name;
    }
  }
}

TEST(PlotGallery, StrictRefusesWhatMlqHasNotAndNotWhatIsNotDrawn) {
  const auto read = [](const std::string& text) {
    records::Reader reader(Input::from_bytes("a.jsonl", text), {.strict = true});
    return read_stream(reader, "a.jsonl");
  };
  EXPECT_NO_THROW(read("{\"type\":\"verdict\",\"pass\":true,\"alpha\":0.1,\"tests\":1}\n"));
  EXPECT_THROW(read("{\"type\":\"unheard_of\"}\n"), Error);
}

TEST(PlotGallery, SeveralInputsAreNamedInTheKey) {
  std::vector<Stream> streams;
  streams.push_back(stream_of(arrivals(100, 1'000'000), "before.jsonl"));
  streams.push_back(stream_of(arrivals(200, 500'000), "after.jsonl"));
  const Picture picture = draw(streams, choose_one(streams, "", "rate"));
  ASSERT_EQ(picture.curves.size(), 2u);
  EXPECT_EQ(picture.curves[0].label.substr(0, 22), "before.jsonl arrivals ");
  EXPECT_EQ(picture.curves[1].label.substr(0, 21), "after.jsonl arrivals ");
}

TEST(PlotTrace, GapsAndRateOfEvenArrivals) {
  const Picture gaps = drawn(arrivals(1'000, 1'000'000), "trace", "gaps");
  for (const Point& p : gaps.curves.at(0).points) EXPECT_NEAR(p.x, 1e-3, 4e-6);
  const Picture rate = drawn(arrivals(1'000, 1'000'000), "trace", "rate");
  for (const Point& p : rate.curves.at(0).points) EXPECT_DOUBLE_EQ(p.y, 1'000);
}

TEST(PlotTrace, TimesThatGoBackAreRefusedWithTheirPlace) {
  try {
    stream_of("{\"type\":\"arrival\",\"t_ns\":5}\n{\"type\":\"arrival\",\"t_ns\":4}\n");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    EXPECT_EQ(std::string(error.what()).substr(0, 10), "a.jsonl:2:");
  }
}

// Quantiles by window and over all against sorting.
TEST(PlotReplay, QuantilesAreThoseOfTheSortedValues) {
  std::string text =
      "{\"type\":\"run\",\"tool\":\"t\",\"version\":\"1\",\"schema\":1,\"argv\":[],\"slo\":\"p99<=50ms && "
      "p95(ttft)<=1s\"}\n";
  std::map<int64_t, std::vector<int64_t>> by_window;
  constexpr int64_t kWindow = 1'000'000'000;
  for (int64_t i = 0; i < 6'000; ++i) {
    const int64_t due = i * 10'000'000, latency = 1'000'000 + (i * 7'919 % 1'009) * 100'000;
    const bool ok = i % 10 != 3;
    text +=
        fmt::format("{{\"type\":\"result\",\"i\":{},\"outcome\":\"{}\",\"due_ns\":{},\"latency_ns\":{}}}\n",
                    i, ok ? "ok" : "timeout", due, latency);
    if (ok) by_window[due / kWindow].push_back(latency);
  }
  text += "{\"type\":\"end\",\"count\":6000}\n";
  const Picture picture = drawn(text, "replay", "latency");
  const Curve &p50 = curve_named(picture, "p50"), &p99 = curve_named(picture, "p99");
  ASSERT_EQ(p50.points.size(), by_window.size());
  size_t k = 0;
  for (auto& [window, values] : by_window) {
    std::sort(values.begin(), values.end());
    const auto rank = [&](double q) {
      return static_cast<double>(values[static_cast<size_t>(std::ceil(q * double(values.size()))) - 1]) / 1e9;
    };
    EXPECT_NEAR(p50.points[k].y, rank(0.5), 0.004 * rank(0.5));
    EXPECT_NEAR(p99.points[k].y, rank(0.99), 0.004 * rank(0.99));
    EXPECT_DOUBLE_EQ(p99.points[k].x, double(window) + 0.5);
    ++k;
  }
  ASSERT_EQ(picture.marks.size(), 1u);
  EXPECT_DOUBLE_EQ(picture.marks[0].at, 0.05);
  EXPECT_FALSE(picture.marks[0].vertical);
  EXPECT_TRUE(drawn(text, "replay", "ccdf").marks.at(0).vertical);
}

TEST(PlotReplay, WindowsStandInForResults) {
  const auto window = [](int i) {
    return fmt::format(
        "{{\"type\":\"load_window\",\"class\":\"*\",\"from_ns\":{}000000000,\"to_ns\":{}000000000,"
        "\"planned\":1,"
        "\"sent\":1,\"done\":1,\"ok\":1,\"good\":1,\"dropped\":0,\"censored\":0,\"input_tokens\":0,\"output_"
        "tokens\":0,"
        "\"up_bytes\":0,\"down_bytes\":0,\"latency_p50_ns\":{}000000,\"offered_per_s\":{}}}\n",
        i, i + 1, i + 5, 10 * i);
  };
  const std::string text = window(1) + window(2);
  const Picture picture = drawn(text, "replay", "latency");
  ASSERT_EQ(picture.curves.size(), 1u);
  EXPECT_EQ(picture.curves[0].label, "p50");
  EXPECT_DOUBLE_EQ(picture.curves[0].points.at(1).x, 2.5);
  EXPECT_DOUBLE_EQ(picture.curves[0].points[1].y, 7e-3);
  EXPECT_DOUBLE_EQ(curve_named(drawn(text, "replay", "rate"), "offered").points.at(1).y, 20);
}

TEST(PlotReplay, HistogramsStandInForResults) {
  const std::string hist =
      "{\"type\":\"hist\",\"metric\":\"latency\",\"class\":\"*\",\"unit\":\"ns\",\"sub_bits\":7,\"count\":3,"
      "\"sum\":\"450\",\"min\":100,\"max\":200,\"bins\":\"100:1 150:1 200:1\"}\n";
  const Picture picture = drawn(hist, "replay", "");
  EXPECT_EQ(picture.title, "Latency, CCDF");
  ASSERT_EQ(picture.curves.at(0).points.size(), 3u);
  EXPECT_DOUBLE_EQ(picture.curves[0].points[1].y, 2.0 / 3);
}

std::string trial(int i, double cost, bool feasible, const std::string& level = "l") {
  return fmt::format(
      "{{\"type\":\"trial\",\"t_ns\":0,\"i\":{},\"level\":\"{}\",\"config\":{{}},\"config_id\":\"c\","
      "\"outcome\":\"ok\","
      "\"window_ns\":1,\"requests\":1,\"ok\":1,\"errors\":0,\"censored\":0,\"dropped\":0,\"cost\":{},"
      "\"feasible\":{},"
      "\"phase\":\"search\",\"tuner\":\"rrl-a\"}}\n",
      i, level, cost, feasible);
}

TEST(PlotTune, TheLowestSoFarIsOfFeasibleTrials) {
  const Picture picture =
      drawn(trial(0, 5, true) + trial(1, 2, false) + trial(2, 4, true) + trial(3, 6, true), "tune", "cost");
  const Curve& best = curve_named(picture, "rrl-a best");
  ASSERT_EQ(best.points.size(), 4u);
  for (const auto& [i, expected] : {std::pair{0, 5.0}, {1, 5.0}, {2, 4.0}, {3, 4.0}})
    EXPECT_EQ(best.points[i].y, expected);
  EXPECT_EQ(curve_named(picture, "rrl-a not feasible").points.size(), 1u);
  EXPECT_EQ(picture.curves.at(1).label, "rrl-a");
  EXPECT_EQ(picture.curves.at(1).points.size(), 3u);
}

TEST(PlotTune, EachLevelOfTheLoadHasItsOwnLowest) {
  const Picture picture =
      drawn(trial(0, 5, true, "day") + trial(1, 2, true, "night") + trial(2, 4, true, "day"), "tune", "cost");
  EXPECT_EQ(curve_named(picture, "rrl-a day best").points.back().y, 4);
  EXPECT_EQ(curve_named(picture, "rrl-a night best").points.back().y, 2);
}

TEST(PlotTune, ScoresAreALineATunerAndThoseOfOneSeedAreLeftOut) {
  const auto score = [](const std::string& tuner, const std::string& more) {
    return "{\"type\":\"score\",\"tuner\":\"" + tuner + "\",\"surface\":\"s\"," + more +
           ",\"online_ratio\":1}\n";
  };
  const Picture picture =
      drawn(score("a", "\"seed\":1,\"rec_ratio\":9") +
                score("a", "\"seeds\":3,\"rec_ratio\":1.5,\"rec_ratio_lo\":1.2,\"rec_ratio_hi\":2") +
                score("b", "\"seeds\":3,\"rec_ratio\":1.1"),
            "tuners", "compare");
  EXPECT_EQ(picture.y.rows, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(picture.curves.at(0).points.at(0).x, 1.5);
  EXPECT_EQ(picture.curves[0].points[0].lo, 1.2);
  EXPECT_EQ(picture.curves[0].points[0].hi, 2);
  EXPECT_EQ(picture.curves[0].points.at(1).x, 1.1);
}

TEST(PlotTune, SuitesAreSortedByLoadOnALogScale) {
  const auto score = [](const std::string& tuner, const std::string& surface, int ms) {
    return "{\"type\":\"suite_score\",\"suite\":\"x\",\"tuner\":\"" + tuner + "\",\"surface\":\"" + surface +
           "\",\"objective\":\"latency\",\"seeds\":2,\"latency_mean_ns\":" + std::to_string(ms) +
           "000000,\"last_half_mean_ns\":1,\"over_slo_share\":0,\"cpu_ns_per_request\":1}\n";
  };
  const Picture picture =
      drawn(score("a", "wiki", 3) + score("a", "day", 1) + score("b", "wiki", 2), "tuners", "suite");
  EXPECT_EQ(picture.y.rows,
            (std::vector<std::string>{"day latency: a", "wiki latency: a", "wiki latency: b"}));
  EXPECT_DOUBLE_EQ(picture.curves.at(0).points.at(2).x, 2e-3);
  EXPECT_TRUE(picture.x.logarithmic);
}

TEST(PlotSimigrad, TheNoiseScaleHasItsIntervalAndTheBatch) {
  const Picture picture = drawn(
      "{\"type\":\"estimate\",\"step\":1,\"batch_samples\":64,\"groups\":2,\"status\":\"ok\",\"b_simple_"
      "samples\":"
      "100,\"b_simple_lo_samples\":50,\"b_simple_hi_samples\":null}\n"
      "{\"type\":\"gram\",\"step\":1,\"batch_samples\":64,\"groups\":2}\n",
      "simigrad", "noise");
  EXPECT_TRUE(picture.y.logarithmic);
  const Point point = curve_named(picture, "noise scale").points.at(0);
  EXPECT_EQ(point.lo, 50);
  EXPECT_TRUE(std::isnan(point.hi));
  EXPECT_EQ(curve_named(picture, "batch").points.at(0).y, 64);
}

TEST(PlotQuant, BitsOfALayerAreTheMeanOverItsElements) {
  const auto tensor = [](const std::string& name, int elems, int bits) {
    return fmt::format(
        "{{\"type\":\"tensor\",\"name\":\"{}\",\"file\":\"f\",\"shape\":[1],\"dtype\":\"F32\",\"elems\":{},"
        "\"size_bytes\":1,"
        "\"format\":\"int\",\"bits_per_weight\":{}}}\n",
        name, elems, bits);
  };
  const Picture picture =
      drawn(tensor("h.2.a", 10, 4) + tensor("h.2.b", 30, 8) + tensor("wte", 5, 16) + tensor("h.10.a", 1, 3),
            "quant", "layers");
  ASSERT_FALSE(picture.curves.empty());
  ASSERT_EQ(picture.curves[0].points.size(), 2u);
  EXPECT_EQ(picture.curves[0].points[0].x, 2);
  EXPECT_EQ(picture.curves[0].points[0].y, 7);
  EXPECT_EQ(picture.curves[0].points[1].x, 10);
}

TEST(PlotQuant, TheLayerIsTheFirstNumberOfAName) {
  EXPECT_EQ(layer_of("model.layers.12.mlp.3.weight"), 12u);
  EXPECT_EQ(layer_of("0.weight"), 0u);
  EXPECT_EQ(layer_of("conv1.weight"), std::nullopt);
  EXPECT_EQ(layer_of(""), std::nullopt);
  EXPECT_EQ(layer_of("a.99999999999999999999.b"), std::nullopt);
}

TEST(PlotServe, WindowsAreDrawnAsTheyStand) {
  const std::string text =
      "{\"type\":\"serve_window\",\"t_ns\":2000000000,\"model\":\"m\",\"gen\":1,\"window_ns\":500000000,"
      "\"requests\":10,\"ok\":7,\"good\":6,\"shed\":2,\"failed\":1,\"defaulted\":0,\"rate_per_s\":20,\"good_"
      "per_s\":12,"
      "\"latency_p99_ns\":5000000,\"queue_p99_ns\":3000000,\"batches\":4,\"batch_rows_mean\":2.5,\"target_"
      "rows\":8,"
      "\"inflight\":0}\n";
  const auto y = [&](const std::string& picture, const std::string& curve) {
    return curve_named(drawn(text, "serve", picture), curve).points.at(0).y;
  };
  EXPECT_DOUBLE_EQ(y("batch", "mean"), 2.5);
  EXPECT_DOUBLE_EQ(y("batch", "target"), 8);
  EXPECT_DOUBLE_EQ(y("shed", "shed"), 4);
  EXPECT_DOUBLE_EQ(y("shed", "failed"), 2);
  EXPECT_DOUBLE_EQ(y("queue", "p99"), 3e-3);
  EXPECT_DOUBLE_EQ(y("latency", "p99"), 5e-3);
  EXPECT_DOUBLE_EQ(y("rate", "good"), 12);
}

TEST(PlotServe, BatchesAreAveragedInWindowsAndModelsToldApart) {
  std::string text;
  for (int i = 0; i < 10; ++i)
    text += fmt::format(
        "{{\"type\":\"batch\",\"t_ns\":{},\"model\":\"{}\",\"replica\":0,\"gen\":1,\"controller\":\"c\","
        "\"requests\":1,"
        "\"rows\":{},\"target_rows\":8,\"request_bytes\":1,\"queue_max_ns\":{},\"hold_ns\":0,\"outcome\":"
        "\"ok\"}}\n",
        i * 10, i < 5 ? "a" : "b", i, i * 1'000);
  const Picture batch = drawn(text, "serve", "batch");
  ASSERT_EQ(batch.curves.size(), 2u);
  EXPECT_EQ(batch.curves[0].label, "a mean");
  EXPECT_DOUBLE_EQ(batch.curves[0].points.at(0).y, 2);  // all in one window of 1 us
  EXPECT_DOUBLE_EQ(drawn(text, "serve", "queue").curves.at(1).points.at(0).y, 9e-6);
}

TEST(PlotServe, WindowsOfBatchesAreAsWideAsTheirNumberAsksFor) {
  std::string text;
  for (int i = 0; i < 2'000; ++i)
    text += fmt::format(
        "{{\"type\":\"batch\",\"t_ns\":{},\"model\":\"m\",\"replica\":0,\"gen\":1,\"controller\":\"c\","
        "\"requests\":1,\"rows\":2,\"target_rows\":8,\"request_bytes\":1,\"queue_max_ns\":1,\"hold_ns\":0,"
        "\"outcome\":\"ok\"}}\n",
        i * 1'000'000);
  EXPECT_EQ(drawn(text, "serve", "batch").curves.at(0).points.size(), 100u);  // of 20 ms
}

TEST(PlotServe, RequestsStandInForWindows) {
  std::string text;
  for (int i = 1; i <= 100; ++i)
    text += fmt::format(
        "{{\"type\":\"request\",\"t_ns\":{0},\"model\":\"m\",\"request_id\":\"r\",\"gen_admitted\":1,\"gen\":"
        "1,"
        "\"rows\":1,\"code\":200,\"latency_ns\":{0},\"good\":true,\"attempts\":1}}\n",
        i);
  EXPECT_DOUBLE_EQ(curve_named(drawn(text, "serve", "latency"), "p99").points.at(0).y, 99e-9);
  const Curve ccdf = drawn(text, "serve", "ccdf").curves.at(0);
  EXPECT_DOUBLE_EQ(ccdf.points.back().x, 100e-9);
  EXPECT_DOUBLE_EQ(ccdf.points.back().y, 0.01);
}

TEST(PlotReplay, TheSummaryStandsInForDistributions) {
  const std::string text =
      "{\"type\":\"summary\",\"class\":\"*\",\"from_ns\":0,\"to_ns\":1,\"planned\":1,\"sent\":1,\"done\":1,"
      "\"ok\":1,"
      "\"good\":1,\"dropped\":0,\"censored\":0,\"input_tokens\":0,\"output_tokens\":0,\"up_bytes\":0,"
      "\"down_bytes\":0,\"latency_p50_ns\":1000,\"latency_p99_ns\":9000,\"valid\":true}\n";
  const Curve curve = drawn(text, "replay", "ccdf").curves.at(0);
  ASSERT_EQ(curve.points.size(), 2u);
  EXPECT_DOUBLE_EQ(curve.points[1].x, 9e-6);
  EXPECT_DOUBLE_EQ(curve.points[1].y, 0.01);
}

TEST(PlotReplay, DueAndAnsweredAreCountedInTheSameWindows) {
  std::string text;
  for (int i = 0; i < 2'000; ++i)
    text += fmt::format("{{\"type\":\"result\",\"i\":{},\"outcome\":\"{}\",\"due_ns\":{}}}\n", i,
                        i < 100 ? "ok" : "timeout", i * 1'000'000);
  const Picture rate = drawn(text, "replay", "rate");
  ASSERT_EQ(rate.curves.size(), 2u);
  ASSERT_EQ(rate.curves[0].points.size(), 100u);  // 20 ms each
  EXPECT_DOUBLE_EQ(rate.curves[0].points[0].x, rate.curves[1].points[0].x);
  const Picture outcomes = drawn(text, "replay", "outcomes");
  EXPECT_EQ(outcomes.y.rows, (std::vector<std::string>{"ok", "timeout"}));
  EXPECT_EQ(outcomes.curves.at(0).points.at(1).x, 1'900);
}

TEST(PlotTrace, TheoryStandsBesideWhatWasMeasured) {
  std::vector<Stream> streams;
  streams.push_back(stream_of(
      "{\"type\":\"trace_stat\",\"class\":\"*\",\"count\":9,\"duration_ns\":1,\"rate_per_s\":40,\"gap_cv\":1."
      "5}\n"
      "{\"type\":\"idc\",\"window_ns\":1000,\"idc\":1.1}\n{\"type\":\"idc\",\"window_ns\":9000,\"idc\":7}\n"
      "{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":1000000000,\"count\":41}\n",
      "stat"));
  streams.push_back(stream_of(
      "{\"type\":\"expected\",\"spec\":\"s\",\"rate_per_s\":45,\"idc_limit\":8,\"algo\":1}\n", "explain"));
  const Picture theory = draw(streams, choose_one(streams, "", "theory"));
  EXPECT_EQ(theory.y.rows,
            (std::vector<std::string>{"arrivals/s", "variation of the gaps", "dispersion, long windows"}));
  EXPECT_EQ(curve_named(theory, "stat measured").points.at(2).x, 7);
  EXPECT_EQ(curve_named(theory, "explain expected").points.at(1).x, 8);
  EXPECT_EQ(curve_named(theory, "explain expected").points.at(1).y, 2);
  const Picture rate = draw(streams, choose_one(streams, "", "rate"));
  EXPECT_EQ(rate.marks.at(0).label, "explain expected");
  EXPECT_EQ(rate.marks.at(0).at, 45);
  EXPECT_EQ(draw(streams, choose_one(streams, "", "idc")).marks.size(), 2u);
}

TEST(PlotCheck, TestsAreByVerdictBesideTheirLevel) {
  const std::string text =
      "{\"type\":\"test\",\"name\":\"a\",\"p_value\":0,\"n\":5,\"limit\":0.01,\"verdict\":\"fail\"}\n"
      "{\"type\":\"test\",\"name\":\"b\",\"n\":5,\"verdict\":\"skip\"}\n"
      "{\"type\":\"test\",\"name\":\"c\",\"p_value\":0.5,\"n\":5,\"limit\":0.02,\"verdict\":\"pass\"}\n";
  const Picture picture = drawn(text, "check", "tests");
  EXPECT_EQ(picture.y.rows, (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(curve_named(picture, "level").points.at(1).x, 0.02);
  EXPECT_EQ(curve_named(picture, "fail").points.at(0).x, 1e-6);
  EXPECT_EQ(curve_named(picture, "pass").points.at(0).y, 1);
}

TEST(PlotTune, ACostThatIsALatencyIsATime) {
  const Picture picture = drawn(
      "{\"type\":\"run\",\"tool\":\"t\",\"version\":\"1\",\"schema\":1,\"argv\":[],\"objective\":\"latency\"}"
      "\n" +
          trial(0, 5e6, true) + "{\"type\":\"end\",\"count\":1}\n",
      "tune", "cost");
  EXPECT_EQ(picture.y.quantity, Quantity::time);
  EXPECT_DOUBLE_EQ(picture.curves.at(0).points.at(0).y, 5e-3);
}

TEST(PlotTune, ASurfaceIsTheSharesOfItsConfigurations) {
  std::string text;
  for (const int ms : {3, 1, 2, 2})
    text += fmt::format(
        "{{\"type\":\"surface\",\"surface\":\"s\",\"level\":\"day\",\"config\":{{}},\"repeat\":0,"
        "\"latency_p99_ns\":{}}}\n",
        ms);
  const Curve curve = drawn(text, "tune", "surface").curves.at(0);
  ASSERT_EQ(curve.points.size(), 3u);
  EXPECT_DOUBLE_EQ(curve.points[0].x, 0.25);
  EXPECT_DOUBLE_EQ(curve.points[1].x, 0.75);
  EXPECT_DOUBLE_EQ(curve.points[1].y, 2e-9);
  EXPECT_DOUBLE_EQ(curve.points[2].x, 1);
}

TEST(PlotTuners, RowsOfASurfaceStandTogetherAndAllSurfacesLast) {
  std::string text;
  for (const std::string tuner : {"a", "b"}) {
    for (const std::string surface : {"*", "s", "t"})
      text += "{\"type\":\"score\",\"tuner\":\"" + tuner + "\",\"surface\":\"" + surface +
              "\",\"seeds\":3,\"rec_ratio\":1.5,\"online_ratio\":1}\n";
  }
  EXPECT_EQ(drawn(text, "tuners", "compare").y.rows,
            (std::vector<std::string>{"s: a", "s: b", "t: a", "t: b", "all surfaces: a", "all surfaces: b"}));
}

TEST(PlotTensors, AFamilyHasItsNumbersAsStars) {
  EXPECT_EQ(family_of("model.layers.12.mlp.3.weight"), "model.layers.*.mlp.*.weight");
  EXPECT_EQ(family_of("conv1.weight"), "conv1.weight");
  EXPECT_EQ(family_of(""), "");
  FamilySums sums;
  for (int i = 0; i < 40; ++i) {
    sums.add(fmt::format("h.{}.w", i), 100);
    sums.add(fmt::format("t{}", i), 1);
  }
  Picture picture;
  sums.draw("bytes", 2, picture);
  ASSERT_EQ(picture.y.rows.size(), FamilySums::kRows);
  EXPECT_EQ(picture.y.rows.front(), "h.*.w");
  EXPECT_EQ(picture.curves.at(0).points.front().x, 8'000);
  EXPECT_EQ(picture.y.rows.back(), "18 others");
  EXPECT_EQ(picture.curves[0].points.back().x, 36);
}

TEST(PlotPatch, PatchesWithoutAStepAreCounted) {
  const auto patch = [](int bytes) {
    return fmt::format(
        "{{\"type\":\"patch\",\"file\":\"p\",\"parent_hash\":\"\",\"result_hash\":\"\",\"tensors\":1,"
        "\"changed_tensors\":1,\"elems\":9,\"in_bytes\":900,\"out_bytes\":{},\"ratio\":1,\"bits_per_weight\":"
        "1}}\n",
        bytes);
  };
  const Picture picture = drawn(patch(9) + patch(8), "patch", "");
  EXPECT_EQ(curve_named(picture, "patch").points.at(1).x, 2);
  EXPECT_EQ(curve_named(picture, "patch").points[1].y, 8);
  EXPECT_EQ(curve_named(picture, "whole").points.at(0).y, 900);
}

TEST(PlotPatch, AnchorsOfAChainAreWholeModels) {
  const auto link = [](int step, const std::string& kind, bool ok) {
    return fmt::format(
        "{{\"type\":\"link\",\"step\":{},\"kind\":\"{}\",\"file\":\"f\",\"size_bytes\":{},\"result_hash\":"
        "\"\","
        "\"ok\":{}}}\n",
        step, kind, 10 * step, ok);
  };
  const Picture picture =
      drawn(link(1, "anchor", true) + link(2, "delta", true) + link(3, "delta", false), "patch", "size");
  EXPECT_EQ(curve_named(picture, "whole").points.size(), 1u);
  EXPECT_EQ(curve_named(picture, "patch").points.size(), 2u);
  EXPECT_EQ(curve_named(picture, "not as stated").points.at(0).x, 3);
}

std::string gathered(int step, int rank, double error) {
  return fmt::format(
      "{{\"type\":\"gather\",\"step\":{},\"rank\":{},\"ranks\":2,\"mode\":\"delta\",\"bits\":4,\"block\":64,"
      "\"elems\":1,\"wire_bytes\":{},\"bf16_bytes\":1000,\"encode_ns\":1,\"comm_ns\":2,\"decode_ns\":3,"
      "\"bus_bytes_per_s\":1,\"key_frame\":false,\"rel_rmse\":{}}}\n",
      step, rank, 100 + step, error);
}

TEST(PlotGather, ErrorIsALineARankAndBytesAreOfAllTogether) {
  const std::string text =
      gathered(0, 0, 0.1) + gathered(0, 1, 0.2) + gathered(1, 0, 0.01) + gathered(1, 1, 0.02);
  const Picture error = drawn(text, "gather", "error");
  ASSERT_EQ(error.curves.size(), 2u);
  EXPECT_EQ(curve_named(error, "delta int4 rank 1").points.at(1).y, 0.02);
  const Picture bytes = drawn(text, "gather", "bytes");
  ASSERT_EQ(bytes.curves.size(), 2u);
  EXPECT_EQ(curve_named(bytes, "delta int4").points.at(1).y, 101);
  EXPECT_EQ(curve_named(bytes, "as bf16").points.at(1).y, 1'000);
}

TEST(PlotGather, OfAWayTheWorstTensorCountsAndItIsSafeIfItIsForAll) {
  const auto simulated = [](const std::string& tensor, int bits, double error, bool safe) {
    return fmt::format(
        "{{\"type\":\"simulate\",\"name\":\"{}\",\"mode\":\"delta\",\"bits\":{},\"block\":64,\"grid\":"
        "\"mse\","
        "\"update_ratio\":0,\"steps\":1,\"inst_rel_rmse\":{},\"mean_rel_rmse\":0.5,\"predicted_rel_rmse\":1,"
        "\"rel_bias\":0,\"safe\":{}}}\n",
        tensor, bits, error, safe);
  };
  const Picture picture =
      drawn(simulated("a", 4, 0.2, true) + simulated("b", 4, 0.3, false) + simulated("a", 8, 0.1, true),
            "gather", "simulate");
  const Curve& delta = curve_named(picture, "delta");
  ASSERT_EQ(delta.points.size(), 2u);
  EXPECT_EQ(delta.points[0].y, 0.3);
  ASSERT_EQ(curve_named(picture, "safe").points.size(), 1u);
  EXPECT_EQ(curve_named(picture, "safe").points[0].x, 8);
}

TEST(PlotSimigrad, TensorsHaveTheirShareOfTheSquaredNorm) {
  const auto gram = [](const std::string& tensor, const std::string& sums) {
    return fmt::format(
        "{{\"type\":\"gram_tensor\",\"tensor\":\"{}\",\"step\":0,\"batch_samples\":4,\"groups\":2,{}}}\n",
        tensor, sums);
  };
  // Of gradients (3, 0) and (1, 0) the mean is (2, 0).
  const std::string text = gram("h.0.w", "\"gram\":[9,3,1]") + gram("h.1.w", "\"mean_norm_sq\":8") +
                           gram("wte", "\"mean_norm_sq\":4");
  const Picture picture = drawn(text, "simigrad", "tensors");
  EXPECT_EQ(picture.y.rows, (std::vector<std::string>{"h.*.w", "wte"}));
  EXPECT_DOUBLE_EQ(picture.curves.at(0).points.at(0).x, 0.75);
  EXPECT_DOUBLE_EQ(picture.curves[0].points.at(1).x, 0.25);
}

TEST(PlotSimigrad, FilesOfAStepAreOneSize) {
  std::string text;
  for (const int step : {1, 1, 2})
    text += fmt::format("{{\"type\":\"dump\",\"step\":{},\"path\":\"p\",\"size_bytes\":10}}\n", step);
  const Curve curve = drawn(text, "simigrad", "dumps").curves.at(0);
  ASSERT_EQ(curve.points.size(), 2u);
  EXPECT_EQ(curve.points[0].y, 20);
  EXPECT_EQ(curve.points[1].y, 10);
}

TEST(PlotGallery, ACurveThatCannotBeSeenIsNotInTheKey) {
  const Picture picture = drawn(
      "{\"type\":\"controller\",\"t_ns\":1,\"model\":\"m\",\"replica\":0,\"event\":\"e\",\"target_rows\":1,"
      "\"alpha_ns_per_row\":0,\"beta_ns\":5,\"share_over\":0}\n",
      "serve", "fit");
  ASSERT_EQ(picture.curves.size(), 1u);
  EXPECT_EQ(picture.curves[0].label, "fixed");
}

TEST(PlotBench, FiguresAreMediansWithTheLeastAndTheMost) {
  std::string text = "{\"type\":\"bench\",\"name\":\"other\",\"p50_us\":3}\n";
  for (const int value : {5, 1, 3})
    text +=
        fmt::format("{{\"type\":\"bench\",\"name\":\"a\",\"unit\":\"B\",\"per_s\":{},\"ratio\":2}}\n", value);
  const Picture picture = drawn(text, "bench", "figures");
  EXPECT_EQ(picture.y.rows, (std::vector<std::string>{"other, us", "a, B/s"}));
  const Point figure = picture.curves.at(0).points.at(1);
  EXPECT_EQ(figure.x, 3);
  EXPECT_EQ(figure.lo, 1);
  EXPECT_EQ(figure.hi, 5);
  EXPECT_EQ(drawn(text, "bench", "ratios").curves.at(0).points.at(0).x, 2);
}

}  // namespace
}  // namespace mlq::plot
