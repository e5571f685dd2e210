// Where the records of a run go: to the journal first, then to the output.
#pragma once

#include "lib/records/tune.h"
#include "lib/records/writer.h"
#include "lib/tune/journal/journal.h"

namespace mlq::tune {

// Not thread-safe. `journal` may be null. Both must outlive it.
class Emitter {
 public:
  // What was measured stands on its own: a run that ends early keeps its output file.
  Emitter(records::Writer& out, Journal* journal) : out_(out), journal_(journal) { out_.keep_interrupted(); }

  void run(const records::Run& run);
  // T is a record of a run: Decision, Trial, TuneEvent, TuneLevel, Policy, Ask, Tell, Measurement, Duet,
  // SurfaceRow. One whose loss would leave the next process in the dark is on disk when this returns.
  template <class T>
  void write(const T& record);
  // Of what belongs to the journal alone: the output's reader may be gone.
  template <class T>
  void write_journal(const T& record);
  void end(records::End end);
  // After an error, which may be the output's own.
  void end_broken(records::End end);

 private:
  template <class T>
  void keep(const T& record);

  records::Writer& out_;
  Journal* journal_;
  jsonl::Buffer line_;
  uint64_t count_ = 0;
};

}  // namespace mlq::tune
