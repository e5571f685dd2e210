#include "lib/cli/provenance.h"

#include <unistd.h>

#include <array>
#include <filesystem>

#include "lib/cli/program.h"

namespace mlq::cli {

records::Run run_record(const Context& context) {
  records::Run run;
  run.tool = context.program().name;
  run.version = context.program().version;
  run.argv = context.argv();
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) run.host = host.data();
  run.device = "cpu";
  return run;
}

records::Writer open_writer(const Context& context) {
  return {Output::open(context.shared().output), context.shared().provenance};
}

records::Writer open_writer_of_server(Context& context) {
  records::Writer writer = open_writer(context);
  writer.outlive_reader([&context] {
    context.warn("nobody reads the records any more; those to come are lost, and the server goes on");
  });
  return writer;
}

std::string data_folder() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path installed = self.parent_path().parent_path() / "share" / "mlq";
  if (!error && std::filesystem::is_directory(installed, error)) return installed.string();
  const std::filesystem::path source = MLQ_SOURCE_DATA;
  if (std::filesystem::is_directory(source, error)) return source.string();
  return installed.string();
}

}  // namespace mlq::cli
