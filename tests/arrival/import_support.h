// Runs an import in a test and reads back what it wrote.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/export/export.h"
#include "lib/arrival/import/import.h"
#include "lib/records/reader.h"
#include "lib/records/trace.h"
#include "tests/support/temp_dir.h"
#include "tests/support/traces.h"

namespace mlq::test {

struct Imported {
  std::string text;  // the whole stream
  std::vector<records::Arrival> arrivals;
  std::vector<records::Bin> bins;
  records::Run run;
  records::End end;
  arrival::ImportResult result;
  std::vector<std::string> notices;

  bool noticed(std::string_view part) const {
    for (const std::string& notice : notices) {
      if (notice.find(part) != notice.npos) return true;
    }
    return false;
  }
  std::vector<int64_t> times() const {
    std::vector<int64_t> times;
    for (const auto& a : arrivals) times.push_back(a.t_ns);
    return times;
  }
};

// Reads a stream of records in a file.
inline void read_back(const std::string& path, Imported& into) {
  into.text = slurp(path);
  records::Reader reader(path, {.strict = true});
  while (reader.next()) {
    if (reader.type() == "arrival") into.arrivals.push_back(reader.as<records::Arrival>());
    if (reader.type() == "bin") into.bins.push_back(reader.as<records::Bin>());
  }
  reader.finish();
  into.run = reader.runs().at(0);
  into.end = reader.end().value();
}

inline records::Run import_run() {
  records::Run run;
  run.tool = "test";
  run.version = "0";
  return run;
}

// Imports with `import(writer, options)` into a temporary file and reads that.
template <class Work>
Imported imported_by(arrival::ImportOptions options, Work&& work) {
  const TempDir folder;
  Imported out;
  options.notice = [&](const std::string& text) { out.notices.push_back(text); };
  options.temp_folder = folder.path().string();
  records::Writer writer(Output::open(folder / "out.jsonl"), true);
  out.result = work(options, writer);
  read_back(folder / "out.jsonl", out);
  EXPECT_EQ(folder.listing(), "out.jsonl");
  return out;
}

inline Imported import_text(std::string_view format, std::string_view text,
                            const arrival::ImportOptions& options = {}) {
  return imported_by(options, [&](const arrival::ImportOptions& o, records::Writer& writer) {
    return arrival::run_import(format, Input::from_bytes("memory", text), o, import_run(), writer);
  });
}

inline Imported import_files(std::string_view format, const std::vector<std::string>& files,
                             const arrival::ImportOptions& options = {}) {
  return imported_by(options, [&](const arrival::ImportOptions& o, records::Writer& writer) {
    return arrival::run_import(format, files, o, import_run(), writer);
  });
}

inline std::string fixture(const std::string& name) { return MLQ_SOURCE_DIR "/tests/data/import/" + name; }

inline Imported import_fixture(std::string_view format, const std::string& name,
                               const arrival::ImportOptions& options = {}) {
  return import_files(format, {fixture(name)}, options);
}

// Exports a stream that is given as text.
inline std::string export_text(std::string_view format, const std::string& stream,
                               arrival::ExportOptions options = {}) {
  const TempDir folder;
  options.temp_folder = folder.path().string();
  records::Reader reader(folder.file("in.jsonl", stream), {});
  arrival::run_export(format, reader, Output::open(folder / "out"), options);
  reader.finish();
  EXPECT_EQ(folder.listing(), "in.jsonl out");
  return slurp(folder / "out");
}

}  // namespace mlq::test
