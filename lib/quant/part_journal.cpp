#include "lib/quant/part_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/quant/decibel.h"
#include "lib/quant/tensor_meta.h"
#include "lib/records/codec.h"

namespace mlq::quant {

namespace {

// The first line.
struct Begun {
  std::string fingerprint;
};

// A line of a tensor. What follows from these values, or is in the metadata, is not there.
struct Done {
  std::string name, meta, stored;
  std::vector<uint64_t> appended;
  uint64_t out_bytes = 0, pieces = 0;
  double rms = 0, absmax = 0, rmse = 0, bias = 0, max_abs_err = 0, signal = 0, noise = 0;
  uint64_t nonfinite = 0, flushed_blocks = 0, scale_overflow = 0, saturated = 0;
  int64_t busy_ns = 0;
  std::string why_raw;
  bool fallback = false;
  std::string check;  // hash of the line with an empty one
};

}  // namespace
}  // namespace mlq::quant

namespace mlq::records {

template <>
struct Schema<quant::Begun> {
  static constexpr std::string_view type = "begun";
  static constexpr auto fields = std::tuple{field<"fingerprint", &quant::Begun::fingerprint>("", "")};
};

template <>
struct Schema<quant::Done> {
  using Done = quant::Done;
  static constexpr std::string_view type = "done";
  static constexpr auto fields = std::tuple{
      field<"name", &Done::name>("", ""),
      field<"meta", &Done::meta>("", ""),
      field<"stored", &Done::stored>("", ""),
      field<"appended", &Done::appended>("", ""),
      field<"out_bytes", &Done::out_bytes>("", ""),
      field<"pieces", &Done::pieces>("", ""),
      field<"rms", &Done::rms>("", ""),
      field<"absmax", &Done::absmax>("", ""),
      field<"rmse", &Done::rmse>("", ""),
      field<"bias", &Done::bias>("", ""),
      field<"max_abs_err", &Done::max_abs_err>("", ""),
      field<"signal", &Done::signal>("", ""),
      field<"noise", &Done::noise>("", ""),
      field<"nonfinite", &Done::nonfinite>("", ""),
      field<"flushed_blocks", &Done::flushed_blocks>("", ""),
      field<"scale_overflow", &Done::scale_overflow>("", ""),
      field<"saturated", &Done::saturated>("", ""),
      field<"busy_ns", &Done::busy_ns>("", ""),
      field<"why_raw", &Done::why_raw>("", ""),
      field<"fallback", &Done::fallback>("", ""),
      field<"check", &Done::check>("", ""),
  };
};

}  // namespace mlq::records

namespace mlq::quant {
namespace {

template <class T>
std::string line_of(const T& record) {
  jsonl::Buffer line;
  records::write_record(line, record);
  return std::string(line.view());
}

std::string check_of(Done done) {
  done.check.clear();
  const std::string line = line_of(done);
  return hash_text(digest_of(std::as_bytes(std::span(line))));
}

std::string line_of(const FinishedTensor& tensor) {
  const TensorReport& r = tensor.report;
  Done done;
  done.name = r.info.name;
  done.meta = tensor.meta;
  done.stored = hash_text(tensor.stored);
  done.appended = tensor.appended;
  done.out_bytes = r.out_bytes;
  done.pieces = r.pieces;
  done.rms = r.error.rms;
  done.absmax = r.error.absmax;
  done.rmse = r.error.rmse;
  done.bias = r.error.bias;
  done.max_abs_err = r.error.max_abs_err;
  done.signal = r.error.signal;
  done.noise = r.error.noise;
  done.nonfinite = r.counts.nonfinite;
  done.flushed_blocks = r.counts.flushed_blocks;
  done.scale_overflow = r.counts.scale_overflow;
  done.saturated = r.saturated;
  done.busy_ns = r.busy_ns;
  done.why_raw = r.why_raw;
  done.fallback = r.fallback;
  done.check = check_of(done);
  return line_of(done);
}

// The record of `line`, or nothing if it is not whole and of that type.
template <class T>
std::optional<T> parse(std::string_view line) {
  jsonl::ObjectParser object;
  if (!object.parse_copy(line)) return std::nullopt;
  const jsonl::Value* type = object.find("type");
  T record;
  if (type == nullptr || type->kind != jsonl::Kind::string || type->text != records::Schema<T>::type ||
      !records::read_record(object.members(), record).ok)
    return std::nullopt;
  return record;
}

std::optional<FinishedTensor> finished_tensor(Done done, const tensorfile::TensorInfo& info) {
  if (done.name != info.name || done.check != check_of(done)) return std::nullopt;
  FinishedTensor tensor;
  TensorReport& r = tensor.report;
  try {
    const TensorMeta meta = parse_meta(done.name, done.meta, "journal");
    r.coding = meta.coding;
    r.escapes = meta.escapes;
    r.hash_source = meta.hash_source;
    r.hash_decoded = meta.hash_decoded;
    r.source = parse_hash(meta.hash_source);
    r.decoded = parse_hash(meta.hash_decoded);
    tensor.stored = parse_hash(done.stored);
  } catch (const Error&) {
    return std::nullopt;
  }
  tensor.meta = std::move(done.meta);
  tensor.appended = std::move(done.appended);
  r.info = info;
  r.out_bytes = done.out_bytes;
  r.pieces = done.pieces;
  r.error.rms = done.rms;
  r.error.absmax = done.absmax;
  r.error.rmse = done.rmse;
  r.error.bias = done.bias;
  r.error.max_abs_err = done.max_abs_err;
  r.error.signal = done.signal;
  r.error.noise = done.noise;
  if (r.coding.spec.format != Format::raw) {
    r.error.snr_db = snr_db_of(done.signal, done.noise);
    r.error.rel_rmse = relative_error(done.signal, done.noise);
  }
  r.counts.nonfinite = done.nonfinite;
  r.counts.flushed_blocks = done.flushed_blocks;
  r.counts.scale_overflow = done.scale_overflow;
  r.saturated = done.saturated;
  r.busy_ns = done.busy_ns;
  r.why_raw = std::move(done.why_raw);
  r.fallback = done.fallback;
  return tensor;
}

}  // namespace

PartJournal::PartJournal(std::string path, const Digest& fingerprint,
                         const std::vector<tensorfile::TensorInfo>& tensors)
    : path_(std::move(path)), first_line_(line_of(Begun{hash_text(fingerprint)})) {
  if (::access(path_.c_str(), F_OK) != 0) return;
  const std::string text = read_file(path_);
  if (!text.starts_with(first_line_)) return;
  for (size_t at = first_line_.size(); finished_.size() < tensors.size();) {
    const size_t end = text.find('\n', at);
    if (end == text.npos) return;
    auto done = parse<Done>(std::string_view(text).substr(at, end - at));
    auto tensor = done ? finished_tensor(std::move(*done), tensors[finished_.size()]) : std::nullopt;
    if (!tensor) return;
    finished_.push_back(std::move(*tensor));
    at = end + 1;
  }
}

void PartJournal::keep(size_t count) {
  finished_.resize(count);
  // Written anew: what is behind the last whole line, or of another run, goes. Nobody reads it meanwhile,
  // since the part files are locked.
  fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!fd_) throw environment_error("{}: cannot create: {}", path_, std::strerror(errno));
  std::string lines = first_line_;
  for (const FinishedTensor& tensor : finished_) lines += line_of(tensor);
  write(lines);
}

void PartJournal::add(FinishedTensor tensor, const std::function<void()>& sync) {
  waiting_ += line_of(tensor);
  if (std::chrono::steady_clock::now() - written_ >= kInterval) flush(sync);
}

void PartJournal::flush(const std::function<void()>& sync) {
  if (waiting_.empty()) return;
  sync();
  write(waiting_);
  waiting_.clear();
  written_ = std::chrono::steady_clock::now();
}

void PartJournal::write(const std::string& lines) {
  tensorfile::write_fully(fd_.get(), path_, size_, std::as_bytes(std::span(lines)));
  tensorfile::sync_file(fd_.get(), path_);
  size_ += lines.size();
}

void PartJournal::remove() { ::unlink(path_.c_str()); }

}  // namespace mlq::quant
