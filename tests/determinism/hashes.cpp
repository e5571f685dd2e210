// Prints the identities of traces: those of the pinned specs, and of a Poisson and a gamma trace of `count`
// arrivals made by 1, 2 and 8 threads and joined from three shards. tests/determinism/run compares what
// builds by different compilers print.
//
//   hashes COUNT FOLDER
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "lib/arrival/process/generate.h"
#include "lib/records/reader.h"
#include "tests/arrival/pinned_specs.h"

namespace {

using namespace mlq;

// The hash in the end record, the last line of the file.
std::string hash_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
  file.seekg(std::max<std::streamoff>(0, size - 4096));
  std::string line, last;
  while (std::getline(file, line)) last = line;
  constexpr std::string_view kKey = "\"trace_xxh3\":\"";
  const size_t at = last.find(kKey);
  if (at == last.npos) throw std::runtime_error("no hash in " + last);
  return last.substr(at + kKey.size(), 32);
}

std::string make(const std::string& spec, unsigned threads, uint32_t shard, uint32_t shards,
                 const std::string& path) {
  arrival::GenerateOptions options;
  options.spec = arrival::parse_spec(spec);
  options.threads = threads;
  options.shard = shard;
  options.shards = shards;
  records::Writer writer(Output::open(path), true);
  arrival::generate(options, {}, writer);
  return hash_in(path);
}

// The arrivals of three shards in turn, without their indices: the lines of the whole trace.
std::string joined(const std::string& spec, const std::string& folder) {
  std::ifstream shards[3];
  std::string line;
  for (uint32_t k = 0; k < 3; ++k) {
    const std::string path = folder + "/shard" + std::to_string(k);
    make(spec, 2, k, 3, path);
    shards[k].open(path);
    std::getline(shards[k], line);  // the run record
  }
  records::TraceHash hash;
  for (size_t k = 0; std::getline(shards[k], line) && line.starts_with("{\"type\":\"arrival\"");
       k = (k + 1) % 3) {
    line.resize(line.find(",\"i\":"));
    line += "}\n";
    hash.update(line);
  }
  return hash.hex();
}

void print(const std::string& hash, const std::string& what) {
  std::printf("%s  %s\n", hash.c_str(), what.c_str());
}

void print_pinned(const std::string& folder) {
  for (const auto& file : arrival::test::pinned_files())
    std::ofstream(folder + "/" + file.name) << file.content;
  for (const auto& pinned : arrival::test::pinned_specs()) {
    std::string spec = pinned.spec;
    for (size_t at; (at = spec.find("FILES/")) != spec.npos;) spec.replace(at, 5, folder);
    print(make(spec, 1, 0, 1, folder + "/trace"), pinned.spec);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error("usage: hashes COUNT FOLDER");
  const std::string count = argv[1], folder = argv[2];
  print_pinned(folder);
  for (const std::string& process :
       {std::string("poisson --rate 200/s"), std::string("gamma --rate 200/s --cv 2")}) {
    const std::string spec = process + " --count " + count;
    for (const unsigned threads : {1u, 2u, 8u}) {
      print(make(spec, threads, 0, 1, folder + "/trace"), spec + " -j " + std::to_string(threads));
    }
    print(joined(spec, folder), spec + " joined");
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "hashes: %s\n", error.what());
  return 1;
}
