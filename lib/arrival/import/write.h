// The second half of an import: what was read, in order, as records.
#pragma once

#include "lib/arrival/import/format.h"
#include "lib/records/stream.h"
#include "lib/records/writer.h"

namespace mlq::arrival {

// Writes the `run` record (`base`, completed), the arrivals of the sink's rows (finished), nothing more;
// returns whether a stop request cut it. `stop` may be null.
bool write_arrivals(const ImportSink& sink, RowStore& rows, const ImportOptions& options, records::Run base,
                    const StopFlag* stop, records::Writer& writer);

// The same for the sink's bins; they are put in order, holes in a series without classes are reported and
// filled. `duration_ns` becomes the end of the last bin.
bool write_bins(ImportSink& sink, const ImportOptions& options, records::Run base, const StopFlag* stop,
                records::Writer& writer, int64_t& duration_ns);

}  // namespace mlq::arrival
