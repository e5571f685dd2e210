// Where the gram records of a run come from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/records/reader.h"
#include "lib/records/simigrad.h"

namespace mlq::simigrad {

// Gram records in the order of (incarnation, step). Not thread-safe.
class GramSource {
 public:
  virtual ~GramSource() = default;
  // False at the end, or where a stop request ended the input. Errors: input Errors that name the place.
  virtual bool next(records::Gram& out) = 0;
  // The place of the last record, for messages: `file:line`, or the folder of its step.
  virtual std::string where() const = 0;
};

// (incarnation, step) must rise; a step may repeat or fall only where the incarnation rises.
class StepOrder {
 public:
  // What is wrong with this one as the next; empty if nothing is.
  std::string check(const records::Gram& gram);

 private:
  bool any_ = false;
  uint64_t incarnation_ = 0;
  uint64_t step_ = 0;
};

// The gram records of a stream, or of a journal of `follow`; others are passed over.
class RecordSource : public GramSource {
 public:
  explicit RecordSource(records::Reader& reader) : reader_(reader) {}
  bool next(records::Gram& out) override;
  std::string where() const override { return reader_.where(); }

 private:
  records::Reader& reader_;
  StepOrder order_;
};

// All of them, without those that were void: a trainer that went back to a checkpoint did these steps again.
std::vector<records::Gram> read_run(GramSource& source);

}  // namespace mlq::simigrad
