// The dumps of one step, open: the same tensors in every group.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/gram_block.h"
#include "lib/simigrad/dump/dump_set.h"

namespace mlq::simigrad {

// A tensor, or one shard's part of it, in all groups.
struct Leaf {
  struct Place {
    size_t source = 0;  // of Step::sources
    size_t tensor = 0;  // of its tensors
  };
  std::string name;
  kernels::GramType type = kernels::GramType::f32;
  uint64_t elems = 0;
  std::vector<Place> places;  // a group each
};

// A step whose groups agree. Movable; owns its files. Reading is thread-safe.
struct Step {
  uint64_t incarnation = 0;
  uint64_t step = 0;
  std::vector<uint64_t> samples;  // of each group
  std::optional<double> loss_scale;
  std::vector<tensorfile::Source> sources;  // files
  std::vector<Leaf> leaves;                 // in byte order of the names; parts by shard
  bool mixed = false;                       // of several element types

  unsigned groups() const { return static_cast<unsigned>(samples.size()); }
  uint64_t batch_samples() const;
  uint64_t params() const;
  uint64_t tensors() const;
  // Of the tensors that count, in all groups.
  uint64_t size_bytes() const;
  // `F32`; `mixed`.
  std::string dtype() const;
  const tensorfile::TensorInfo& info(const Leaf::Place& place) const {
    return sources[place.source].tensors()[place.tensor];
  }
  const std::string& file_of(const Leaf::Place& place) const;
};

struct OpenedStep {
  Step step;                      // of nothing if a group is missing
  std::vector<uint64_t> missing;  // groups that are not there
};

// Opens a step's files and compares the groups by their headers. `groups` of the set is what files that do
// not say `mlq.groups` are held to. Input Errors that name the file and the tensor: a tensor that not all
// groups have (but with intersect), of another shape, type or order of elements, that is no gradient
// (integers), that two shards have (but for split and replicated); samples or loss scales that are not known,
// are no positive numbers or contradict each other; metadata that contradicts the address.
OpenedStep open_step(const StepFiles& files, uint64_t groups, const DumpOptions& options);

}  // namespace mlq::simigrad
