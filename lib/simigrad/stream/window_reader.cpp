#include "lib/simigrad/stream/window_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "lib/base/error.h"
#include "lib/tensorfile/posix_file.h"

namespace mlq::simigrad {
namespace {

constexpr uint64_t kPage = 4096;                       // what O_DIRECT wants offsets, sizes and memory to be
constexpr uint64_t kLargeFile = uint64_t{1} << 30;     // bytes; worth reading past the cache
constexpr double kWarm = 0.5;                          // share in memory of a file that is read through it
constexpr uint64_t kAhead = uint64_t{4} << 20;         // bytes of a mapping that are asked for in advance
constexpr uint64_t kLargeRequest = uint64_t{4} << 20;  // what disks like
constexpr uint64_t kSmallRequest = uint64_t{1} << 18;  // what stays in the cache of a core

uint64_t rounded_up(uint64_t size) { return (size + kPage - 1) / kPage * kPage; }

Error shorter(const std::string& name, uint64_t at) {
  return environment_error("{}: has become shorter than byte {} while it was read, or cannot be read there",
                           name, at);
}

// The file again, past the cache; none where its file system cannot.
Fd open_direct(int fd) {
  return Fd(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT));
}

}  // namespace

WindowBuffer::WindowBuffer(unsigned groups, uint64_t bytes)
    : bytes_(rounded_up(bytes)),
      groups_(groups),
      memory_(static_cast<std::byte*>(std::aligned_alloc(kPage, bytes_ * groups))) {
  if (memory_ == nullptr) throw std::bad_alloc();
}
void WindowBuffer::Free::operator()(std::byte* at) const { std::free(at); }
std::span<std::byte> WindowBuffer::of_group(unsigned group) {
  return {memory_.get() + group * bytes_, bytes_};
}

struct WindowReader::File {
  std::string name;
  int fd = -1;
  uint64_t size = 0;
  Fd direct;
  std::unique_ptr<MappedFile> mapped;
  bool plain_mapped = false;  // dense tensors are taken from the mapping too

  uint64_t size_now() const {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  }
};

WindowReader::WindowReader(const Step& step, Io io) : step_(step) {
  for (const tensorfile::Source& source : step.sources) {
    auto& files = files_.emplace_back();
    for (size_t i = 0; i < source.shards(); ++i) {
      const tensorfile::ByteFile& bytes = *source.files()[i].bytes;
      auto file = std::make_unique<File>();
      file->name = bytes.name();
      file->fd = bytes.descriptor();
      file->size = bytes.size();
      const auto strided = [&](const tensorfile::TensorInfo& t) {
        return t.shard == i && !t.strides.empty();
      };
      const bool gathers = std::ranges::any_of(source.tensors(), strided);
      if (io == Io::mmap || gathers)
        file->mapped = std::make_unique<MappedFile>(file->fd, file->size, file->name);
      file->plain_mapped = io == Io::mmap;
      const bool cold = io == Io::automatic && file->size >= kLargeFile &&
                        MappedFile(file->fd, file->size, file->name).cached_share() < kWarm;
      if (io == Io::direct || cold) {
        file->direct = open_direct(file->fd);
        if (!file->direct && io == Io::direct)
          throw environment_error("{}: cannot be read past the page cache: {}; leave --io direct out",
                                  file->name, std::strerror(errno));
        if (file->direct) file->plain_mapped = false;
      }
      files.push_back(std::move(file));
    }
  }
}

WindowReader::~WindowReader() = default;

bool WindowReader::direct() const {
  for (const auto& files : files_)
    for (const auto& file : files)
      if (file->direct) return true;
  return false;
}

uint64_t WindowReader::request_bytes() const {
  for (const auto& files : files_)
    for (const auto& file : files)
      if (file->direct || file->plain_mapped) return kLargeRequest;
  return kSmallRequest;
}

uint64_t WindowReader::buffer_bytes(uint64_t window_bytes) { return rounded_up(window_bytes) + kPage; }

const WindowReader::File& WindowReader::file_of(const Leaf::Place& place) const {
  return *files_[place.source][step_.info(place).shard];
}

void WindowReader::read(const ElementRange& window, WindowBuffer& buffer, std::span<const void*> data) const {
  const Leaf& leaf = step_.leaves[window.leaf];
  const uint64_t width = kernels::size_of(leaf.type);
  for (unsigned group = 0; group < leaf.places.size(); ++group) {
    const Leaf::Place& place = leaf.places[group];
    const tensorfile::TensorInfo& info = step_.info(place);
    const File& file = file_of(place);
    if (info.strides.empty()) {
      data[group] = read_plain(file, info.file_offset + window.first * width, window.elems * width,
                               buffer.of_group(group));
    } else {
      data[group] = gather(file, info, window, buffer.of_group(group));
    }
  }
}

void WindowReader::check(const ElementRange& window) const {
  const Leaf& leaf = step_.leaves[window.leaf];
  for (const Leaf::Place& place : leaf.places) {
    const File& file = file_of(place);
    if (file.mapped == nullptr) continue;
    const uint64_t now = file.size_now();
    if (!file.mapped->good() || now < file.size) throw shorter(file.name, now);
  }
}

const void* WindowReader::read_plain(const File& file, uint64_t offset, uint64_t size,
                                     std::span<std::byte> buffer) const {
  if (file.plain_mapped) {
    file.mapped->will_need(offset + size, kAhead);
    return file.mapped->data() + offset;
  }
  const int fd = file.direct ? file.direct.get() : file.fd;
  const uint64_t begin = file.direct ? offset / kPage * kPage : offset;
  const uint64_t wanted = file.direct ? rounded_up(offset + size - begin) : size;
  uint64_t done = 0;
  // The last page of a file may be read in part.
  while (begin + done < offset + size) {
    const ssize_t n = ::pread(fd, buffer.data() + done, wanted - done, static_cast<off_t>(begin + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw environment_error("{}: cannot read at byte {}: {}", file.name, begin + done,
                              std::strerror(errno));
    if (n == 0) throw shorter(file.name, begin + done);
    done += static_cast<uint64_t>(n);
  }
  return buffer.data() + (offset - begin);
}

const void* WindowReader::gather(const File& file, const tensorfile::TensorInfo& info,
                                 const ElementRange& window, std::span<std::byte> buffer) const {
  const uint64_t width = bits_per_element(info.dtype) / 8;
  const size_t rank = info.shape.size();
  std::vector<uint64_t> index(rank);
  uint64_t left = window.first;
  for (size_t i = rank; i-- > 0;) {
    index[i] = left % info.shape[i];
    left /= info.shape[i];
  }
  uint64_t at = 0;  // in elements
  for (size_t i = 0; i < rank; ++i) at += index[i] * info.strides[i];
  const std::byte* from = file.mapped->data() + info.file_offset;
  for (uint64_t n = 0; n < window.elems; ++n) {
    std::memcpy(buffer.data() + n * width, from + at * width, width);
    for (size_t i = rank; i-- > 0;) {
      at += info.strides[i];
      if (++index[i] < info.shape[i]) break;
      at -= info.strides[i] * info.shape[i];
      index[i] = 0;
    }
  }
  return buffer.data();
}

}  // namespace mlq::simigrad
