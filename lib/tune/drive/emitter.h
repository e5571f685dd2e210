// Where the records of a run go: to the journal first, then to the output.
#pragma once

#include <type_traits>

#include "lib/records/tune_schema.h"
#include "lib/records/writer.h"
#include "lib/tune/journal/journal.h"

namespace mlq::tune {

// Not thread-safe. `journal` may be null. Both must outlive it.
class Emitter {
 public:
  Emitter(records::Writer& out, Journal* journal) : out_(out), journal_(journal) {}

  void run(const records::Run& run) {
    if (journal_ != nullptr) keep(run, true);
    out_.run(run);
    out_.flush();
  }
  // A record whose loss would leave the next process in the dark is on disk when this returns.
  template <class T>
  void write(const T& record) {
    if (journal_ != nullptr) keep(record, true);
    out_.write(record);
    out_.flush();
    ++count_;
  }
  // Of what belongs to the journal alone: the output's reader may be gone.
  template <class T>
  void write_journal(const T& record) {
    if (journal_ != nullptr) keep(record, true);
  }
  void end(records::End end) {
    end.count = count_;
    if (journal_ != nullptr) keep(end, true);
    out_.end(end);
  }
  // The output could not be written any more: the journal alone gets its end.
  void end_journal(records::End end) {
    end.count = count_;
    if (journal_ != nullptr) keep(end, true);
  }

 private:
  template <class T>
  void keep(const T& record, bool sync) {
    line_.clear();
    records::write_record(line_, record);
    journal_->append(line_.view(), sync);
  }

  records::Writer& out_;
  Journal* journal_;
  jsonl::Buffer line_;
  uint64_t count_ = 0;
};

}  // namespace mlq::tune
