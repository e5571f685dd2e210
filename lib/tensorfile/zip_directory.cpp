#include "lib/tensorfile/zip_directory.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "lib/base/error.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::tensorfile {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint64_t kLongestComment = 65535;
constexpr uint16_t kZip64Extra = 1, kEncrypted = 1, kStored = 0;
constexpr uint64_t kFull16 = 0xffff, kFull32 = 0xffffffff;  // the number stands in a zip64 field

// Little-endian numbers of a piece of the file, one after another.
class Fields {
 public:
  Fields(const ByteFile& file, uint64_t offset, uint64_t size) : bytes_(size, '\0') {
    file.read(offset, std::as_writable_bytes(std::span(bytes_)));
  }
  explicit Fields(std::string bytes) : bytes_(std::move(bytes)) {}

  bool has(uint64_t n) const { return n <= bytes_.size() - at_; }
  uint64_t left() const { return bytes_.size() - at_; }
  uint16_t u16() { return number<uint16_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  void skip(uint64_t n) { at_ += n; }
  // n bytes; as many must be left.
  std::string text(uint64_t n) {
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }

 private:
  // As many bytes must be left.
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string bytes_;
  uint64_t at_ = 0;
};

struct Directory {
  uint64_t offset = 0, size = 0, entries = 0;
  uint64_t end = 0;  // where the records behind it begin
};

struct CentralEntry {
  ZipEntry entry;
  uint64_t header = 0;  // where its local header begins
};

class Reader {
 public:
  explicit Reader(const ByteFile& file) : file_(file) {}

  std::vector<ZipEntry> read() {
    const Directory directory = find_directory();
    std::vector<CentralEntry> entries = read_entries(directory);
    refuse_overlaps(entries, directory.offset);
    std::vector<ZipEntry> out;
    for (CentralEntry& each : entries)
      if (!each.entry.name.ends_with('/')) out.push_back(std::move(each.entry));
    std::ranges::sort(out, {}, &ZipEntry::name);
    const auto twice = std::ranges::adjacent_find(out, {}, &ZipEntry::name);
    if (twice != out.end())
      throw input_error("{}: zip: {} stands in it twice; the file is damaged", file_.name(),
                        in_quotes(twice->name));
    return out;
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(uint64_t at, fmt::format_string<Args...> format, Args&&... args) const {
    throw input_error("{}: zip: byte {}: {}; the file is cut or damaged", file_.name(), at,
                      fmt::format(format, std::forward<Args>(args)...));
  }

  Directory find_directory() const {
    const uint64_t size = file_.size();
    if (size < kEndBytes) fail(size, "there is no end record");
    const uint64_t window = std::min(size, kEndBytes + kLongestComment), begin = size - window;
    std::string tail(window, '\0');
    file_.read(begin, std::as_writable_bytes(std::span(tail)));
    for (uint64_t at = window - kEndBytes + 1; at-- > 0;) {
      Fields end(tail.substr(at, kEndBytes));
      if (end.u32() != kEnd) continue;
      const uint32_t disks = end.u32();
      Directory directory;
      const uint64_t entries_here = end.u16();
      directory.entries = end.u16();
      directory.size = end.u32();
      directory.offset = end.u32();
      directory.end = begin + at;
      if (end.u16() != window - at - kEndBytes) continue;  // not the record: its comment would not end here
      const bool wide =
          directory.entries == kFull16 || directory.size == kFull32 || directory.offset == kFull32;
      if (disks != 0 && !wide) fail(directory.end, "it is one of several parts");
      if (entries_here != directory.entries) fail(directory.end, "it is one of several parts");
      if (wide) directory = wide_directory(directory);
      check(directory);
      return directory;
    }
    fail(size, "there is no end record");
  }

  // What stands in the zip64 end record in place of numbers that are full.
  Directory wide_directory(const Directory& narrow) const {
    if (narrow.end < kLocatorBytes) fail(narrow.end, "there is no zip64 locator");
    const uint64_t at = narrow.end - kLocatorBytes;
    Fields locator(file_, at, kLocatorBytes);
    if (locator.u32() != kLocator64) fail(at, "there is no zip64 locator");
    locator.skip(4);
    const uint64_t record = locator.u64();
    if (record > at || at - record < kEnd64Bytes) fail(at, "its zip64 end record would be at {}", record);
    Fields end(file_, record, kEnd64Bytes);
    if (end.u32() != kEnd64) fail(record, "there is no zip64 end record");
    end.skip(8 + 2 + 2 + 4 + 4);
    Directory wide;
    const uint64_t entries_here = end.u64();
    wide.entries = end.u64();
    wide.size = end.u64();
    wide.offset = end.u64();
    wide.end = record;
    if (entries_here != wide.entries) fail(record, "it is one of several parts");
    const auto agree = [](uint64_t small, uint64_t full, uint64_t large) {
      return small == full || small == large;
    };
    if (!agree(narrow.entries, kFull16, wide.entries) || !agree(narrow.size, kFull32, wide.size) ||
        !agree(narrow.offset, kFull32, wide.offset))
      fail(record, "its end records contradict each other");
    return wide;
  }

  void check(const Directory& directory) const {
    if (directory.offset > directory.end || directory.size > directory.end - directory.offset)
      fail(directory.end, "its directory would be {} bytes at {}", directory.size, directory.offset);
    if (directory.size > kLargestZipDirectory)
      throw input_error("{}: zip: its directory is {} bytes; at most {} are read", file_.name(),
                        directory.size, kLargestZipDirectory);
    if (directory.entries > directory.size / kCentralBytes)
      fail(directory.end, "its directory of {} bytes would have {} entries", directory.size,
           directory.entries);
  }

  std::vector<CentralEntry> read_entries(const Directory& directory) const {
    Fields fields(file_, directory.offset, directory.size);
    std::vector<CentralEntry> entries;
    entries.reserve(directory.entries);
    for (uint64_t i = 0; i < directory.entries; ++i)
      entries.push_back(read_entry(fields, directory.offset + directory.size - fields.left()));
    for (CentralEntry& entry : entries) place(entry, directory.offset);
    return entries;
  }

  CentralEntry read_entry(Fields& fields, uint64_t at) const {
    if (!fields.has(kCentralBytes) || fields.u32() != kCentral)
      fail(at, "there is no entry of its directory");
    fields.skip(4);
    const uint16_t flags = fields.u16(), method = fields.u16();
    fields.skip(8);
    uint64_t packed = fields.u32();
    CentralEntry out;
    out.entry.size = fields.u32();
    const uint64_t name = fields.u16(), extra = fields.u16(), comment = fields.u16();
    fields.skip(8);
    out.header = fields.u32();
    if (!fields.has(name + extra + comment)) fail(at, "an entry of its directory is cut");
    out.entry.name = fields.text(name);
    Fields extras(fields.text(extra));
    fields.skip(comment);
    read_wide(extras, at, out, packed);
    if (flags & kEncrypted)
      throw input_error("{}: zip: {} is encrypted", file_.name(), in_quotes(out.entry.name));
    if (method != kStored)
      throw input_error("{}: zip: {} is compressed, which torch.save does not do; pack it again with zip -0",
                        file_.name(), in_quotes(out.entry.name));
    if (packed != out.entry.size)
      fail(at, "{} is stored, in {} bytes for {}", in_quotes(out.entry.name), packed, out.entry.size);
    return out;
  }

  // The zip64 field has, in this order, those numbers that are full.
  void read_wide(Fields& extras, uint64_t at, CentralEntry& out, uint64_t& packed) const {
    bool found = false;
    while (extras.has(4)) {
      const uint16_t id = extras.u16(), length = extras.u16();
      if (!extras.has(length)) fail(at, "an extra field of {} is cut", in_quotes(out.entry.name));
      Fields field(extras.text(length));
      if (id != kZip64Extra || found) continue;
      found = true;
      for (uint64_t* number : {&out.entry.size, &packed, &out.header}) {
        if (*number != kFull32) continue;
        if (!field.has(8)) fail(at, "the zip64 field of {} is cut", in_quotes(out.entry.name));
        *number = field.u64();
      }
    }
  }

  // Where the bytes begin is known by the local header alone.
  void place(CentralEntry& each, uint64_t limit) const {
    if (each.header > limit || limit - each.header < kLocalBytes)
      fail(each.header, "the header of {} would be beyond the directory", in_quotes(each.entry.name));
    Fields local(file_, each.header, kLocalBytes);
    if (local.u32() != kLocal) fail(each.header, "there is no header of {}", in_quotes(each.entry.name));
    local.skip(4);
    if (local.u16() != kStored)
      fail(each.header, "the header of {} contradicts the directory", in_quotes(each.entry.name));
    local.skip(16);
    const uint64_t name = local.u16(), extra = local.u16();
    const uint64_t head = kLocalBytes + name + extra;
    if (head > limit - each.header || each.entry.size > limit - each.header - head)
      fail(each.header, "{}, of {} bytes, would reach beyond the directory", in_quotes(each.entry.name),
           each.entry.size);
    std::string here(name, '\0');
    file_.read(each.header + kLocalBytes, std::as_writable_bytes(std::span(here)));
    if (here != each.entry.name)
      fail(each.header, "the directory has {} where {} begins", in_quotes(each.entry.name), in_quotes(here));
    each.entry.offset = each.header + head;
  }

  void refuse_overlaps(std::vector<CentralEntry>& entries, uint64_t limit) const {
    std::ranges::sort(entries, {}, &CentralEntry::header);
    for (size_t i = 0; i + 1 < entries.size(); ++i) {
      if (entries[i].entry.offset + entries[i].entry.size > entries[i + 1].header)
        fail(entries[i + 1].header, "{} and {} overlap", in_quotes(entries[i].entry.name),
             in_quotes(entries[i + 1].entry.name));
    }
    if (!entries.empty() && entries.back().entry.offset + entries.back().entry.size > limit)
      fail(limit, "{} overlaps the directory", in_quotes(entries.back().entry.name));
  }

  const ByteFile& file_;
};

}  // namespace

std::vector<ZipEntry> read_zip_directory(const ByteFile& file) { return Reader(file).read(); }

}  // namespace mlq::tensorfile
