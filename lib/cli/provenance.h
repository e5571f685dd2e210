// What every program says of itself in its streams, and where it finds its data.
#pragma once

#include <string>

#include "lib/cli/context.h"
#include "lib/records/stream.h"
#include "lib/records/writer.h"

namespace mlq::cli {

// The run record of this process: tool, version, command line, machine.
records::Run run_record(const Context& context);
// A stream of records to -o, with or without run and end as --no-provenance says.
records::Writer open_writer(const Context& context);
// The same for a server: it goes on when the reader of its records has gone, and says so once.
records::Writer open_writer_of_server(Context& context);
// The folder of the data that comes with mlq: `share/mlq` beside the program's `bin`, else `data` of the
// source tree that the program was built from. Where there is neither, the former: who opens a file in it
// learns where it should have been.
std::string data_folder();

}  // namespace mlq::cli
