#include "lib/tensorfile/npy_header.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/tensorfile/safetensors_header.h"

namespace mlq::tensorfile {
namespace {

struct Dict {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<uint64_t>> shape;
};

// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` and blanks behind it; no other Python.
class DictReader {
 public:
  DictReader(std::string_view file, std::string_view text) : file_(file), text_(text) {}

  Dict read() {
    expect('{');
    while (!take('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr") {
        set(dict_.descr, key, [&] { return descr(); });
      } else if (key == "fortran_order") {
        set(dict_.fortran_order, key, [&] { return boolean(); });
      } else if (key == "shape") {
        set(dict_.shape, key, [&] { return tuple(); });
      } else {
        fail(in_quotes(key) + " is no entry that it may have");
      }
      if (!take(',') && !is('}')) fail("it is no dict of Python");
    }
    if (skip() < text_.size()) fail("something follows its dict");
    if (!dict_.descr || !dict_.fortran_order || !dict_.shape)
      fail("descr, fortran_order or shape is missing");
    return std::move(dict_);
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw input_error("{}: npy header: {}; the file is damaged", file_, what);
  }
  size_t skip() { return at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool is(char c) { return skip() < text_.size() && text_[at_] == c; }
  bool take(char c) {
    if (!is(c)) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail("it is no dict of Python");
  }
  template <class T, class Read>
  void set(std::optional<T>& member, const std::string& key, Read read) {
    if (member) fail(in_quotes(key) + " stands in it twice");
    member = read();
  }

  std::string string() {
    const char quote = is('"') ? '"' : '\'';
    expect(quote);
    const size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail("a string is not closed");
    const std::string_view text = text_.substr(at_, end - at_);
    if (text.find('\\') != std::string_view::npos) fail("a string has a backslash");
    at_ = end + 1;
    return std::string(text);
  }
  std::string descr() {
    if (is('[')) throw input_error("{}: its elements are structures; save each field as an array", file_);
    return string();
  }
  bool boolean() {
    skip();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    fail("fortran_order is neither True nor False");
  }
  uint64_t integer() {
    skip();
    uint64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    const auto digits = static_cast<size_t>(end - begin);
    if (error != std::errc() || (digits > 1 && *begin == '0'))
      fail("its shape has no integers from 0 to 2^64-1");
    at_ += digits;
    return value;
  }
  std::vector<uint64_t> tuple() {
    std::vector<uint64_t> values;
    expect('(');
    while (!take(')')) {
      if (values.size() == kMostDimensions)
        fail(fmt::format("its shape has more than {} dimensions", kMostDimensions));
      values.push_back(integer());
      const bool comma = take(',');
      if (!comma && (values.size() < 2 || !is(')'))) fail("its shape is no tuple of Python");
    }
    return values;
  }

  std::string_view file_, text_;
  size_t at_ = 0;
  Dict dict_;
};

struct Type {
  std::string_view descr;  // without its byte order
  Dtype dtype;
};
constexpr std::array<Type, 14> kTypes = {{
    {"f2", Dtype::f16},
    {"f4", Dtype::f32},
    {"f8", Dtype::f64},
    {"c8", Dtype::c64},
    {"i1", Dtype::i8},
    {"u1", Dtype::u8},
    {"i2", Dtype::i16},
    {"u2", Dtype::u16},
    {"i4", Dtype::i32},
    {"u4", Dtype::u32},
    {"i8", Dtype::i64},
    {"u8", Dtype::u64},
    {"b1", Dtype::boolean},
    {"V2", Dtype::bf16},
}};

Dtype dtype_of(const std::string& file, const std::string& descr, bool u2_is_bf16) {
  const std::string_view all = descr;
  if (all.starts_with('>'))
    throw input_error("{}: its elements are big-endian ({}); save it little-endian", file, descr);
  if (all == "|O")
    throw input_error("{}: holds pickled Python objects, which are not read; save an array of numbers", file);
  const auto known = std::ranges::find(kTypes, all.substr(std::min<size_t>(1, all.size())), &Type::descr);
  const bool bytes = known != kTypes.end() && (known->descr.ends_with('1') || known->descr == "V2");
  if (known == kTypes.end() || !(all.starts_with('<') || (bytes && all.starts_with('|'))))
    throw input_error("{}: elements of type {} are not read; save floats, integers or booleans", file,
                      in_quotes(descr));
  if (known->descr == "V2" && !u2_is_bf16)
    throw input_error(
        "{}: elements of type {} have no meaning of their own; if they are BF16, say --npy-bf16", file,
        descr);
  return u2_is_bf16 && known->dtype == Dtype::u16 ? Dtype::bf16 : known->dtype;
}

// Where the dict begins and its length.
struct Place {
  uint64_t offset, length;
};

Place find_dict(const ByteFile& file) {
  std::array<unsigned char, 12> head{};
  if (file.size() < head.size())
    throw input_error("{}: {} can be no npy file", file.name(), format_count(file.size(), "byte"));
  file.read(0, std::as_writable_bytes(std::span(head)));
  const unsigned major = head[6];
  if (major < 1 || major > 3 || head[7] != 0)
    throw input_error("{}: npy version {}.{} is not known; the file is damaged", file.name(), major, head[7]);
  uint64_t length = head[8] | uint64_t{head[9]} << 8;
  if (major > 1) length |= uint64_t{head[10]} << 16 | uint64_t{head[11]} << 24;
  const uint64_t offset = major == 1 ? 10 : 12;
  if (length > kLargestNpyHeader || length > file.size() - offset)
    throw input_error(
        "{}: its npy header would be {} bytes (in {}; at most {} are read); the file is damaged", file.name(),
        length, file.size(), kLargestNpyHeader);
  return {offset, length};
}

}  // namespace

TensorInfo read_npy_header(const ByteFile& file, std::string name, bool u2_is_bf16, bool fortran) {
  const Place place = find_dict(file);
  std::string text(place.length, '\0');
  file.read(place.offset, std::as_writable_bytes(std::span(text)));
  Dict dict = DictReader(file.name(), text).read();
  const bool strided = *dict.fortran_order && dict.shape->size() > 1;
  if (strided && !fortran)
    throw input_error("{}: is in Fortran order; save numpy.ascontiguousarray of it", file.name());
  const Dtype dtype = dtype_of(file.name(), *dict.descr, u2_is_bf16);
  TensorInfo tensor = make_tensor(file.name(), std::move(name), dtype, std::move(*dict.shape));
  tensor.file_offset = place.offset + place.length;
  const uint64_t data = file.size() - tensor.file_offset;
  if (data != tensor.size_bytes)
    throw input_error("{}: its shape and type need {} bytes, but {} follow the header; the file is damaged",
                      file.name(), tensor.size_bytes, data);
  if (strided) {
    tensor.strides.assign(tensor.shape.size(), 1);
    for (size_t i = 1; i < tensor.shape.size(); ++i)
      tensor.strides[i] = tensor.strides[i - 1] * tensor.shape[i - 1];
  }
  return tensor;
}

std::string npy_header(Dtype dtype, uint64_t elems) {
  const auto type = std::ranges::find(kTypes, dtype, &Type::dtype);
  std::string dict =
      fmt::format("{{'descr': '<{}', 'fortran_order': False, 'shape': ({},), }}", type->descr, elems);
  constexpr size_t kBefore = 10, kAlignment = 64;
  const size_t size = (kBefore + dict.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  dict.append(size - kBefore - dict.size() - 1, ' ') += '\n';
  std::string header(kNpyMagic);
  header += {'\1', '\0', static_cast<char>(dict.size() & 0xff), static_cast<char>(dict.size() >> 8)};
  return header + dict;
}

}  // namespace mlq::tensorfile
