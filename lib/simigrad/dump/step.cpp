#include "lib/simigrad/dump/step.h"

#include <algorithm>
#include <numeric>

#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::simigrad {
namespace {

using kernels::GramType;
using tensorfile::Dtype;
using tensorfile::in_quotes;
using tensorfile::TensorInfo;

std::optional<GramType> gram_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
      return GramType::f64;
    case Dtype::f32:
      return GramType::f32;
    case Dtype::f16:
      return GramType::f16;
    case Dtype::bf16:
      return GramType::bf16;
    case Dtype::f8_e4m3:
      return GramType::e4m3;
    case Dtype::f8_e5m2:
      return GramType::e5m2;
    default:
      return std::nullopt;
  }
}

// An array without a name of its own is the same tensor in every group.
std::string tensor_name(const tensorfile::Shard& shard, const TensorInfo& info, const GroupFile& file,
                        bool sharded) {
  using tensorfile::FileFormat;
  if (shard.format != FileFormat::npy && shard.format != FileFormat::raw) return info.name;
  return sharded ? fmt::format("array.{}", file.shard) : "array";
}

// The tensors of one group by name, each with a place a shard.
using Tensors = std::map<std::string, std::vector<Leaf::Place>>;

class Opener {
 public:
  Opener(const StepFiles& files, uint64_t groups, const DumpOptions& options)
      : files_(files), expected_(groups), options_(options) {}

  OpenedStep open() {
    OpenedStep out;
    step_.incarnation = files_.incarnation;
    step_.step = files_.step;
    for (const auto& [group, files] : files_.groups) open_group(group, files);
    const uint64_t groups = said_groups_.value_or(expected_);
    for (uint64_t group = 0; group < groups; ++group)
      if (!files_.groups.contains(group)) out.missing.push_back(group);
    if (!out.missing.empty()) return out;
    if (files_.groups.rbegin()->first >= groups)
      throw input_error("{}: is of group {}, but mlq.groups says that there are {}",
                        files_.groups.rbegin()->second.front().path, files_.groups.rbegin()->first, groups);
    settle_samples();
    join_groups();
    out.step = std::move(step_);
    return out;
  }

 private:
  void open_group(uint64_t group, const std::vector<GroupFile>& files) {
    Tensors& tensors = tensors_.emplace_back();
    samples_.emplace_back();
    first_file_.push_back(files.front().path);
    tensorfile::SourceOptions open = options_.source;
    open.strided = true;
    for (const GroupFile& file : files) {
      step_.sources.push_back(tensorfile::open_source(file.path, open));
      for (size_t i = 0; i < step_.sources.back().shards(); ++i)
        take_facts(group, step_.sources.back().shard(i));
      take_tensors(file, files.size() > 1, tensors);
    }
  }

  void take_facts(uint64_t group, const tensorfile::Shard& shard) {
    const FileFacts facts = facts_of(shard);
    const auto agree = [&](std::string_view what, const std::optional<uint64_t>& said, uint64_t is) {
      if (said && *said != is)
        throw input_error("{}: its metadata says {} {}, its path {}; rename it or leave --pattern out",
                          shard.file, what, *said, is);
    };
    agree("incarnation", facts.address.incarnation, files_.incarnation);
    agree("step", facts.address.step, files_.step);
    agree("group", facts.address.group, group);
    settle(shard.file, "mlq.groups", said_groups_, facts.groups);
    settle(shard.file, "mlq.samples", samples_.back(), facts.samples);
    settle(shard.file, "mlq.loss_scale", step_.loss_scale, facts.loss_scale);
  }

  template <class T>
  static void settle(const std::string& file, std::string_view key, std::optional<T>& known,
                     const std::optional<T>& said) {
    if (known && said && *known != *said)
      throw input_error("{}: {} is {}, but {} in another file of the step", file, key, *said, *known);
    if (said) known = said;
  }

  bool wanted(const std::string& name) const {
    return (options_.include.empty() || options_.include.has(name)) && !options_.exclude.has(name);
  }

  void take_tensors(const GroupFile& file, bool sharded, Tensors& tensors) {
    const size_t at = step_.sources.size() - 1;
    const tensorfile::Source& source = step_.sources.back();
    for (size_t i = 0; i < source.tensors().size(); ++i) {
      const TensorInfo& info = source.tensors()[i];
      const std::string name = tensor_name(source.shard(info.shard), info, file, sharded);
      if (!wanted(name)) continue;
      if (!gram_type(info.dtype))
        throw input_error(
            "{}: tensor {}: is of {}, which is no type of a gradient; leave it out with --exclude", file.path,
            in_quotes(name), dtype_name(info.dtype));
      std::vector<Leaf::Place>& places = tensors[name];
      if (!places.empty() && options_.replicated.has(name)) continue;
      if (!places.empty() && !options_.split.has(name))
        throw input_error(
            "{}: tensor {}: is in {} too; say with --split that these are parts of it, or with "
            "--replicated that both are the whole",
            file.path, in_quotes(name), step_.file_of(places.front()));
      places.push_back({at, i});
    }
  }

  void settle_samples() {
    const size_t count = samples_.size();
    const std::vector<uint64_t>& given = options_.group_samples;
    if (given.size() > 1 && given.size() != count)
      throw input_error("step {}: has {}, but --group-samples {} numbers", files_.step,
                        format_count(count, "group"), given.size());
    for (size_t i = 0; i < count; ++i) {
      std::optional<uint64_t> option;
      if (!given.empty()) option = given.size() == 1 ? given[0] : given[i];
      if (option && samples_[i] && *option != *samples_[i])
        throw input_error("{}: mlq.samples is {}, but --group-samples {}", first_file_[i], *samples_[i],
                          *option);
      if (!option && !samples_[i] && options_.needs_samples)
        throw input_error(
            "{}: does not say how many samples are behind it (mlq.samples); give --group-samples",
            first_file_[i]);
      step_.samples.push_back(option ? *option : samples_[i].value_or(0));
    }
    uint64_t batch = 0;
    for (const uint64_t samples : step_.samples)
      if (__builtin_add_overflow(batch, samples, &batch) || batch > uint64_t{1} << 53)
        throw input_error("step {}: its groups have more than 2^53 samples together", files_.step);
    if (options_.loss_scale && step_.loss_scale && *options_.loss_scale != *step_.loss_scale)
      throw input_error("{}: mlq.loss_scale is {}, but --loss-scale {}", first_file_[0], *step_.loss_scale,
                        *options_.loss_scale);
    if (options_.loss_scale) step_.loss_scale = options_.loss_scale;
  }

  void join_groups() {
    for (const auto& [name, places] : tensors_[0]) {
      const auto absent = [&](const Tensors& of_group) { return !of_group.contains(name); };
      const auto lacks = std::ranges::find_if(tensors_, absent);
      if (lacks != tensors_.end()) {
        if (options_.intersect) continue;
        refuse_absent(name, first_file_[static_cast<size_t>(lacks - tensors_.begin())], places);
      }
      for (size_t part = 0; part < places.size(); ++part) add_leaf(name, part);
    }
    for (size_t group = 1; group < tensors_.size() && !options_.intersect; ++group)
      for (const auto& [name, places] : tensors_[group])
        if (!tensors_[0].contains(name)) refuse_absent(name, first_file_[0], places);
    if (step_.leaves.empty()) refuse_nothing();
  }

  [[noreturn]] void refuse_nothing() const {
    const size_t in_file = step_.sources.front().tensors().size();
    if (in_file == 0) throw input_error("{}: has no tensor", first_file_[0]);
    if (!tensors_[0].empty())
      throw input_error("step {}: no tensor of {} is in all groups; --intersect leaves none to measure",
                        files_.step, first_file_[0]);
    throw input_error("step {}: no tensor is left to measure, of {} in {}; look at --include and --exclude",
                      files_.step, format_count(in_file, "tensor"), first_file_[0]);
  }

  [[noreturn]] void refuse_absent(const std::string& name, const std::string& file,
                                  const std::vector<Leaf::Place>& places) const {
    throw input_error("{}: tensor {} is not in it, though in {}; --intersect takes what all groups have",
                      file, in_quotes(name), step_.file_of(places.front()));
  }

  void add_leaf(const std::string& name, size_t part) {
    Leaf leaf;
    leaf.name = name;
    const Leaf::Place& first = tensors_[0][name][part];
    const TensorInfo& info = step_.info(first);
    leaf.type = *gram_type(info.dtype);
    leaf.elems = info.elems;
    for (Tensors& tensors : tensors_) {
      const std::vector<Leaf::Place>& places = tensors[name];
      if (places.size() != tensors_[0][name].size())
        throw input_error("{}: tensor {}: is in {}, but in {} of another group",
                          step_.file_of(places.front()), in_quotes(name),
                          format_count(places.size(), "shard"), tensors_[0][name].size());
      compare(name, first, places[part]);
      leaf.places.push_back(places[part]);
    }
    step_.mixed = step_.mixed || (!step_.leaves.empty() && step_.leaves.front().type != leaf.type);
    step_.leaves.push_back(std::move(leaf));
  }

  void compare(const std::string& name, const Leaf::Place& first, const Leaf::Place& other) const {
    const TensorInfo &a = step_.info(first), &b = step_.info(other);
    const auto refuse = [&](const std::string& is, const std::string& not_this) {
      throw input_error("{}: tensor {}: {}, but {} in {}", step_.file_of(other), in_quotes(name), is,
                        not_this, step_.file_of(first));
    };
    const auto shape = [](const TensorInfo& t) { return fmt::format("[{}]", fmt::join(t.shape, ",")); };
    if (a.shape != b.shape) refuse("its shape is " + shape(b), shape(a));
    if (a.dtype != b.dtype)
      refuse(fmt::format("is of {}", dtype_name(b.dtype)), std::string(dtype_name(a.dtype)));
    const bool npy = format_of(first) == tensorfile::FileFormat::npy;
    if (npy && a.strides.empty() != b.strides.empty())
      refuse(b.strides.empty() ? "is in C order" : "is in Fortran order", "not");
  }

  tensorfile::FileFormat format_of(const Leaf::Place& place) const {
    return step_.sources[place.source].shard(step_.info(place).shard).format;
  }

  const StepFiles& files_;
  uint64_t expected_;
  const DumpOptions& options_;
  Step step_;
  std::vector<Tensors> tensors_;  // a group each
  std::vector<std::optional<uint64_t>> samples_;
  std::vector<std::string> first_file_;  // of each group, for messages
  std::optional<uint64_t> said_groups_;
};

}  // namespace

uint64_t Step::batch_samples() const { return std::reduce(samples.begin(), samples.end(), uint64_t{0}); }

uint64_t Step::params() const {
  uint64_t sum = 0;
  for (const Leaf& leaf : leaves) sum += leaf.elems;
  return sum;
}

uint64_t Step::tensors() const {
  uint64_t count = 0;
  for (size_t i = 0; i < leaves.size(); ++i) count += i == 0 || leaves[i].name != leaves[i - 1].name;
  return count;
}

uint64_t Step::size_bytes() const {
  uint64_t sum = 0;
  for (const Leaf& leaf : leaves) sum += leaf.elems * kernels::size_of(leaf.type) * groups();
  return sum;
}

std::string Step::dtype() const {
  if (mixed) return "mixed";
  return leaves.empty() ? "" : std::string(dtype_name(info(leaves.front().places.front()).dtype));
}

const std::string& Step::file_of(const Leaf::Place& place) const {
  const tensorfile::Source& source = sources[place.source];
  return source.shard(source.tensors()[place.tensor].shard).file;
}

OpenedStep open_step(const StepFiles& files, uint64_t groups, const DumpOptions& options) {
  return Opener(files, groups, options).open();
}

}  // namespace mlq::simigrad
