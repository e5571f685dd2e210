// Files of gradients, put in order: incarnation, step, group, shard.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/simigrad/dump/pattern.h"
#include "lib/tensorfile/names.h"
#include "lib/tensorfile/source.h"

namespace mlq::simigrad {

struct DumpOptions {
  // Of paths; files that it does not match are passed over in folders and refused where they are named.
  std::optional<Pattern> pattern;
  // How files are opened. Strided tensors are always read.
  tensorfile::SourceOptions source;
  // Samples behind each group: one number for all, or one for each. Empty: from the files.
  std::vector<uint64_t> group_samples;
  bool needs_samples = true;  // refuse groups whose samples nobody says; else they count as 0
  std::optional<double> loss_scale;
  tensorfile::Names include, exclude;  // no `include`: all
  tensorfile::Names split;             // tensors whose parts lie in several shards: their sums add
  tensorfile::Names replicated;        // tensors that all shards have whole: the first counts
  bool intersect = false;              // take the tensors that all groups have
};

// What a file's own metadata says (`mlq.step`, `mlq.group`, `mlq.groups`, `mlq.samples`, `mlq.loss_scale`,
// `mlq.incarnation`, `mlq.shard`). An input Error for what is no such number.
struct FileFacts {
  Address address;
  std::optional<uint64_t> groups, samples;
  std::optional<double> loss_scale;
};
FileFacts facts_of(const tensorfile::Shard& shard);

// A file of a group.
struct GroupFile {
  std::string path;
  uint64_t shard = 0;  // by its address, else in the order of the paths
};

// The files of one step; nothing is open.
struct StepFiles {
  uint64_t incarnation = 0;
  uint64_t step = 0;
  std::map<uint64_t, std::vector<GroupFile>> groups;  // files by shard
};

struct DumpSet {
  std::vector<StepFiles> steps;  // by incarnation and step
  // Groups of each step where its files do not say so: as many as any step has.
  uint64_t groups = 0;
};

// Finds the files: those named, and in folders, at any depth, those that the pattern matches or, without one,
// those that end in .safetensors, .npy, .pt, .pth (and .zst) or, with `source.raw`, any. A file's address is
// what its metadata and the pattern say. Files that are named without pattern and metadata are the groups 0,
// 1 ... of step 0. Opens only files whose path does not say it all. Input Errors for a file without an
// address, a contradiction, two files of one shard, and a folder without dumps; errors of open_source.
DumpSet find_dumps(const std::vector<std::string>& paths, const DumpOptions& options);

}  // namespace mlq::simigrad
