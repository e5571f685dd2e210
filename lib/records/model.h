// Rows with known answers, and what a model makes of them.
#pragma once

#include "lib/records/schema.h"

namespace mlq::records {

struct Sample {
  std::optional<std::string> id;
  int64_t label = 0;
  std::vector<double> row;
};

template <>
struct Schema<Sample> {
  static constexpr std::string_view type = "sample";
  static constexpr std::string_view summary = "A row whose answer is known, to try a model on.";
  static constexpr auto fields = std::tuple{
      field<"id", &Sample::id>("", "Its name."),
      field<"label", &Sample::label>("", "The right answer: a class."),
      field<"row", &Sample::row>("", "What the model is given."),
  };
};

struct Accuracy {
  std::string backend;
  std::string model;
  uint64_t rows = 0;
  uint64_t correct = 0;
  double accuracy = 0;
  std::optional<double> at_least;
  std::optional<bool> pass;
};

template <>
struct Schema<Accuracy> {
  static constexpr std::string_view type = "accuracy";
  static constexpr std::string_view summary = "How many rows a model answers rightly.";
  static constexpr auto fields = std::tuple{
      field<"backend", &Accuracy::backend>("", "What ran the model."),
      field<"model", &Accuracy::model>("", "The model's file."),
      field<"rows", &Accuracy::rows>("", "Rows that were tried."),
      field<"correct", &Accuracy::correct>("", "Rows whose answer was their label."),
      field<"accuracy", &Accuracy::accuracy>("", "correct over rows."),
      field<"at_least", &Accuracy::at_least>("", "What was asked for."),
      field<"pass", &Accuracy::pass>("", "Whether accuracy reaches it."),
  };
};

struct Speed {
  uint64_t rows = 0;
  uint64_t batches = 0;
  double rows_per_s = 0;
  int64_t latency_ns = 0;
};

template <>
struct Schema<Speed> {
  static constexpr std::string_view type = "speed";
  static constexpr std::string_view summary =
      "How fast a model answers batches of one size, one after the other.";
  static constexpr auto fields = std::tuple{
      field<"rows", &Speed::rows>("rows", "Size of the batches."),
      field<"batches", &Speed::batches>("", "Batches that were timed."),
      field<"rows_per_s", &Speed::rows_per_s>("rows/s", "Rows over the time of all of them."),
      field<"latency_ns", &Speed::latency_ns>("ns", "Median time of a batch."),
  };
};

}  // namespace mlq::records
