#include "tests/arrival/trace_files.h"

namespace mlq::test {

std::vector<records::Arrival> arrivals_at(const std::vector<int64_t>& times_ns) {
  std::vector<records::Arrival> arrivals(times_ns.size());
  for (size_t k = 0; k < times_ns.size(); ++k) arrivals[k].t_ns = times_ns[k];
  return arrivals;
}

std::string trace_file(const TempDir& dir, std::string_view name,
                       const std::vector<records::Arrival>& arrivals, std::optional<int64_t> duration_ns,
                       records::Run run) {
  records::Writer writer(Output::open(dir / name), duration_ns.has_value());
  if (run.tool.empty()) run.tool = "test";
  writer.run(run);
  writer.arrival_lines({}, 0, 0);
  for (const records::Arrival& arrival : arrivals) writer.write(arrival);
  records::End end;
  end.duration_ns = duration_ns;
  writer.end(end);
  return dir / name;
}

records::Run test_run() {
  records::Run run;
  run.tool = "test";
  return run;
}

Written written_by(const TempDir& dir, const std::function<void(records::Writer&)>& write) {
  const std::string path = dir / "written.jsonl";
  {
    records::Writer writer(Output::open(path), true);
    write(writer);
  }
  Written out;
  out.text = slurp(path);
  records::Reader reader(path, {});
  while (reader.next()) {
    if (reader.type() != records::Schema<records::Arrival>::type) continue;
    out.arrivals.push_back(reader.as<records::Arrival>());
    out.times_ns.push_back(out.arrivals.back().t_ns);
  }
  out.runs = reader.runs();
  out.end = reader.end();
  return out;
}

}  // namespace mlq::test
