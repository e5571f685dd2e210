#include "lib/tune/drive/emitter.h"

#include "lib/base/error.h"
#include "lib/records/tune_schema.h"

namespace mlq::tune {

template <class T>
void Emitter::keep(const T& record) {
  if (journal_ == nullptr) return;
  line_.clear();
  records::write_record(line_, record);
  journal_->append(line_.view(), true);
}

void Emitter::run(const records::Run& run) {
  keep(run);
  out_.run(run);
  out_.flush();
}

template <class T>
void Emitter::write(const T& record) {
  keep(record);
  out_.write(record);
  out_.flush();
  ++count_;
}

template <class T>
void Emitter::write_journal(const T& record) {
  keep(record);
}

void Emitter::end(records::End end) {
  end.count = count_;
  keep(end);
  out_.end(end);
}

void Emitter::end_broken(records::End end) {
  end.count = count_;
  keep(end);
  try {
    out_.end(end);
  } catch (const Error&) {
    // The error that is on its way says more,
  } catch (const ClosedPipe&) {
    // and has a status that the end of the reader has not.
  }
}

// Here alone, since the field lists take the compiler seconds wherever they are read.
template void Emitter::write(const records::Decision&);
template void Emitter::write(const records::Trial&);
template void Emitter::write(const records::TuneEvent&);
template void Emitter::write(const records::TuneLevel&);
template void Emitter::write(const records::Policy&);
template void Emitter::write(const records::Ask&);
template void Emitter::write(const records::Tell&);
template void Emitter::write(const records::Measurement&);
template void Emitter::write(const records::Duet&);
template void Emitter::write(const records::SurfaceRow&);
template void Emitter::write_journal(const records::Trial&);

}  // namespace mlq::tune
