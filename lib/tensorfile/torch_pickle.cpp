#include "lib/tensorfile/torch_pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <variant>

#include "lib/base/error.h"
#include "lib/jsonl/utf8.h"
#include "lib/tensorfile/safetensors_header.h"  // limits that all formats share

namespace mlq::tensorfile {
namespace {

// An object, by its index among all that were made: pickles share and nest them at will.
using Id = uint32_t;

enum class Known : uint8_t { rebuild_tensor, rebuild_parameter, size, ordered_dict, default_dict, storage };

constexpr size_t kMostArguments = 7;              // of what is rebuilt
constexpr uint64_t kMostNameBytes = 256'000'000;  // of all names together

struct Nothing {};  // None, floats, and what is read only to be passed over
struct Sequence {
  std::vector<Id> items;
};
struct Dictionary {
  std::vector<std::pair<Id, Id>> items;
};
struct Global {
  Known known;
  Dtype dtype = Dtype::u8;  // of a storage's type
};
struct Storage {
  std::string key;
  Dtype dtype;
  uint64_t elems;
};
struct Tensor {
  Id storage;
  uint64_t offset;
  std::vector<uint64_t> shape, strides;
};
using Object = std::variant<Nothing, int64_t, std::string, Sequence, Dictionary, Global, Storage, Tensor>;

struct StorageType {
  std::string_view name;
  Dtype dtype;
};
constexpr std::array<StorageType, 11> kStorages = {{{"DoubleStorage", Dtype::f64},
                                                    {"FloatStorage", Dtype::f32},
                                                    {"HalfStorage", Dtype::f16},
                                                    {"BFloat16Storage", Dtype::bf16},
                                                    {"LongStorage", Dtype::i64},
                                                    {"IntStorage", Dtype::i32},
                                                    {"ShortStorage", Dtype::i16},
                                                    {"CharStorage", Dtype::i8},
                                                    {"ByteStorage", Dtype::u8},
                                                    {"BoolStorage", Dtype::boolean},
                                                    {"ComplexFloatStorage", Dtype::c64}}};

class Unpickler {
 public:
  Unpickler(std::string_view file, std::string_view pickle) : file_(file), text_(pickle) {}

  std::vector<TorchTensor> read() {
    while (step()) {
    }
    if (stack_.size() != 1 || !marks_.empty()) fail("something is left on its stack");
    walk(stack_.back(), "", 0);
    return std::move(tensors_);
  }

 private:
  // ---- Errors

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw input_error("{}: pickle: byte {}: {}", file_, opcode_at_,
                      fmt::format(format, std::forward<Args>(args)...));
  }
  [[noreturn]] void fail(std::string_view what) const { refuse("{}; the file is damaged", what); }

  // ---- Bytes

  std::string_view take(uint64_t n) {
    if (n > text_.size() - at_) fail("it is cut");
    at_ += n;
    return text_.substr(at_ - n, n);
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view line() {
    const size_t end = text_.find('\n', at_);
    if (end == std::string_view::npos) fail("it is cut");
    const std::string_view out = text_.substr(at_, end - at_);
    at_ = end + 1;
    return out;
  }

  // ---- Objects and the stack

  Id make(Object object) {
    if (objects_.size() >= kMostPickleObjects)
      refuse("it has more than {} objects, which is as many as are read", kMostPickleObjects);
    objects_.push_back(std::move(object));
    return static_cast<Id>(objects_.size() - 1);
  }
  void push(Object object) { push_id(make(std::move(object))); }
  void push_id(Id id) {
    if (stack_.size() >= kMostPickleObjects)
      refuse("its stack has more than {} objects, which is as many as are read", kMostPickleObjects);
    stack_.push_back(id);
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Id pop() {
    if (stack_.size() <= floor()) fail("its stack is empty");
    const Id id = stack_.back();
    stack_.pop_back();
    return id;
  }
  Id top() const {
    if (stack_.size() <= floor()) fail("its stack is empty");
    return stack_.back();
  }
  // What is above the last mark.
  std::vector<Id> pop_to_mark() {
    if (marks_.empty()) fail("a mark is missing");
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<Id> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  std::vector<Id> pop_n(size_t n) {
    std::vector<Id> items(n);
    for (size_t i = n; i-- > 0;) items[i] = pop();
    return items;
  }
  template <class T>
  T& as(Id id, std::string_view what) {
    T* object = std::get_if<T>(&objects_[id]);
    if (object == nullptr) refuse("{} is expected here; the file is damaged", what);
    return *object;
  }
  // The items of a tuple that has only a few: a large one could be named again and again.
  std::vector<Id> few(Id id, size_t most, std::string_view what) {
    const Sequence& tuple = as<Sequence>(id, what);
    if (tuple.items.size() > most) fail(fmt::format("{} has more than {} items", what, most));
    return tuple.items;
  }
  // Items that are copied are objects too: else sharing could make many of few.
  void count_items(size_t n) {
    items_ += n;
    if (items_ > kMostPickleObjects)
      refuse("it has more than {} items, which is as many as are read", kMostPickleObjects);
  }
  void remember(uint32_t index) {
    if (index > kMostPickleObjects) fail("an object's number is too large");
    if (index >= memo_.size()) memo_.resize(index + 1);
    memo_[index] = top();
  }
  void recall(uint32_t index) {
    if (index >= memo_.size() || !memo_[index]) fail("an object that was not made is asked for");
    push_id(*memo_[index]);
  }

  // ---- Opcodes

  // False at the end.
  bool step() {
    opcode_at_ = at_;
    const auto opcode = number<uint8_t>();
    switch (opcode) {
      case 0x80:
        protocol(number<uint8_t>());
        return true;
      case '.':
        return false;
      case '(':
        if (marks_.size() >= kMostPickleObjects) fail("it has too many marks");
        marks_.push_back(stack_.size());
        return true;
      case 'N':
      case 0x88:
      case 0x89:
        push(Nothing{});
        return true;
      case 'G':
        take(8);
        push(Nothing{});
        return true;
      case 'J':
        push(int64_t{number<int32_t>()});
        return true;
      case 'K':
        push(int64_t{number<uint8_t>()});
        return true;
      case 'M':
        push(int64_t{number<uint16_t>()});
        return true;
      case 0x8a:
        push(long_integer(number<uint8_t>()));
        return true;
      case 'X':
        push(text(number<uint32_t>()));
        return true;
      case 'q':
        remember(number<uint8_t>());
        return true;
      case 'r':
        remember(number<uint32_t>());
        return true;
      case 'h':
        recall(number<uint8_t>());
        return true;
      case 'j':
        recall(number<uint32_t>());
        return true;
      case 'c':
        push(global());
        return true;
      case 'Q':
        persistent();
        return true;
      case 'R':
        reduce();
        return true;
      case 'b':
        build();
        return true;
      default:
        return container(opcode);
    }
  }

  bool container(uint8_t opcode) {
    switch (opcode) {
      case '}':
        push(Dictionary{});
        return true;
      case ']':
      case ')':
        push(Sequence{});
        return true;
      case 't':
        push_sequence(pop_to_mark());
        return true;
      case 0x85:
      case 0x86:
      case 0x87:
        push_sequence(pop_n(opcode - 0x84U));
        return true;
      case 'a': {
        const auto items = pop_n(1);
        append(items);
        return true;
      }
      case 'e': {
        const auto items = pop_to_mark();
        append(items);
        return true;
      }
      case 's': {
        const auto items = pop_n(2);
        set(items);
        return true;
      }
      case 'u': {
        const auto items = pop_to_mark();
        set(items);
        return true;
      }
      default:
        refuse("opcode 0x{:02x} is none that torch.save writes; save it again with torch.save", opcode);
    }
  }

  void protocol(unsigned version) const {
    if (version != 2)
      refuse("protocol {} is not read; save it again with torch.save(..., pickle_protocol=2)", version);
  }

  int64_t long_integer(size_t bytes) {
    const std::string_view little_endian = take(bytes);
    if (bytes > 8) fail("an integer has more than 64 bits");
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= uint64_t{static_cast<uint8_t>(little_endian[i])} << (8 * i);
    if (bytes > 0 && bytes < 8 && (little_endian.back() & 0x80)) value |= ~uint64_t{0} << (8 * bytes);
    return static_cast<int64_t>(value);
  }

  std::string text(uint64_t size) {
    const std::string_view bytes = take(size);
    for (size_t i = 0; i < bytes.size();) {
      const size_t length = jsonl::utf8_length(bytes.substr(i));
      if (length == 0) fail("a text is no UTF-8");
      i += length;
    }
    return std::string(bytes);
  }

  void push_sequence(std::vector<Id> items) {
    count_items(items.size());
    push(Sequence{std::move(items)});
  }
  void append(const std::vector<Id>& items) {
    count_items(items.size());
    auto& to = as<Sequence>(top(), "a list").items;
    to.insert(to.end(), items.begin(), items.end());
  }
  void set(const std::vector<Id>& items) {
    if (items.size() % 2 != 0) fail("a key has no value");
    count_items(items.size());
    auto& to = as<Dictionary>(top(), "a dictionary").items;
    for (size_t i = 0; i < items.size(); i += 2) to.emplace_back(items[i], items[i + 1]);
  }

  Global global() {
    const std::string_view module = line(), name = line();
    if (module == "torch._utils" && name == "_rebuild_tensor_v2") return {Known::rebuild_tensor};
    if (module == "torch._utils" && name == "_rebuild_parameter") return {Known::rebuild_parameter};
    if (module == "torch" && name == "Size") return {Known::size};
    if (module == "collections" && name == "OrderedDict") return {Known::ordered_dict};
    if (module == "collections" && name == "defaultdict") return {Known::default_dict};
    const auto type = std::ranges::find(kStorages, name, &StorageType::name);
    if (module == "torch" && type != kStorages.end()) return {Known::storage, type->dtype};
    const std::string full = in_quotes(fmt::format("{}.{}", module, name));
    if (module.starts_with("torch.distributed"))
      refuse("{} is not read; save the full_tensor() of each DTensor", full);
    refuse("{} is not read, as it would be code to run; save a dictionary of plain tensors", full);
  }

  // ('storage', type, key, place, elements)
  void persistent() {
    const std::vector<Id> id = few(pop(), 5, "a persistent id");
    if (id.size() != 5 || as<std::string>(id[0], "the word storage") != "storage")
      fail("a persistent id is no storage");
    const Global& type = as<Global>(id[1], "a type of storage");
    if (type.known != Known::storage) fail("a persistent id has no type of storage");
    push(Storage{as<std::string>(id[2], "a storage's key"), type.dtype, natural(id[4])});
  }

  uint64_t natural(Id id) {
    const int64_t value = as<int64_t>(id, "a whole number");
    if (value < 0) fail("a number is below 0");
    return static_cast<uint64_t>(value);
  }
  std::vector<uint64_t> naturals(Id id) {
    std::vector<uint64_t> out;
    for (const Id item : few(id, kMostDimensions, "a tensor's size or stride")) out.push_back(natural(item));
    return out;
  }

  void reduce() {
    const std::vector<Id> arguments = few(pop(), kMostArguments, "a tuple of arguments");
    const Known known = as<Global>(pop(), "a name").known;
    switch (known) {
      case Known::rebuild_tensor:
        return rebuild_tensor(arguments);
      case Known::rebuild_parameter:
        if (arguments.size() != 3) fail("a parameter has not three arguments");
        as<Tensor>(arguments[0], "a tensor");
        return push_id(arguments[0]);
      case Known::size:
        if (arguments.size() != 1) fail("a torch.Size has not one argument");
        as<Sequence>(arguments[0], "a tuple");
        return push_id(arguments[0]);
      case Known::ordered_dict:
      case Known::default_dict:
        return dictionary(known, arguments);
      case Known::storage:
        fail("a type of storage is called");
    }
  }

  // OrderedDict() and OrderedDict([[key, value], ...]); defaultdict() and defaultdict(factory).
  void dictionary(Known known, const std::vector<Id>& arguments) {
    if (arguments.size() > 1) fail("a dictionary has more than one argument");
    Dictionary out;
    if (known == Known::ordered_dict && arguments.size() == 1) {
      const std::vector<Id> pairs = as<Sequence>(arguments[0], "a list of pairs").items;
      count_items(2 * pairs.size());
      for (const Id pair : pairs) {
        const auto& items = as<Sequence>(pair, "a pair").items;
        if (items.size() != 2) fail("a pair has not two items");
        out.items.emplace_back(items[0], items[1]);
      }
    }
    push(std::move(out));
  }

  // (storage, offset, size, stride, requires_grad, hooks) and in newer versions metadata.
  void rebuild_tensor(const std::vector<Id>& arguments) {
    if (arguments.size() != 6 && arguments.size() != 7) fail("a tensor has not six or seven arguments");
    as<Storage>(arguments[0], "a storage");
    Tensor tensor{arguments[0], natural(arguments[1]), naturals(arguments[2]), naturals(arguments[3])};
    if (tensor.shape.size() != tensor.strides.size()) fail("a tensor's size and stride differ in length");
    count_items(2 * tensor.shape.size());
    push(std::move(tensor));
  }

  // An OrderedDict's own attributes (`_metadata` of a state_dict), which say nothing of its tensors.
  void build() {
    pop();
    as<Dictionary>(top(), "a dictionary");
  }

  // ---- What was read

  std::string key_text(Id id) const {
    if (const auto* text = std::get_if<std::string>(&objects_[id])) return *text;
    if (const auto* number = std::get_if<int64_t>(&objects_[id])) return std::to_string(*number);
    throw input_error("{}: pickle: a key of a dictionary is neither a text nor a number", file_);
  }

  void walk(Id id, const std::string& name, size_t depth) {
    if (depth > kDeepestPickle)
      throw input_error("{}: pickle: {} is deeper than {} containers", file_, in_quotes(name),
                        kDeepestPickle);
    names_ += name.size();
    if (++walked_ > kMostPickleObjects || names_ > kMostNameBytes)
      throw input_error("{}: pickle: it has more than {} items, or names, than are read", file_,
                        kMostPickleObjects);
    const auto below = [&](const std::string& key) { return name.empty() ? key : name + "." + key; };
    if (const auto* tensor = std::get_if<Tensor>(&objects_[id])) return add(*tensor, name);
    if (const auto* sequence = std::get_if<Sequence>(&objects_[id])) {
      for (size_t i = 0; i < sequence->items.size(); ++i)
        walk(sequence->items[i], below(std::to_string(i)), depth + 1);
    } else if (const auto* dictionary = std::get_if<Dictionary>(&objects_[id])) {
      for (const auto& [key, value] : dictionary->items) walk(value, below(key_text(key)), depth + 1);
    }
  }

  void add(const Tensor& tensor, const std::string& name) {
    const Storage& storage = std::get<Storage>(objects_[tensor.storage]);
    TorchTensor out;
    out.info = make_tensor(file_, name.empty() ? "tensor" : name, storage.dtype, tensor.shape);
    out.strides = tensor.strides;
    out.storage = storage.key;
    out.storage_elems = storage.elems;
    if (name.size() > kLongestName)
      throw input_error("{}: pickle: the name {} has more than {} bytes", file_, in_quotes(name),
                        kLongestName);
    if (tensors_.size() == kMostTensors)
      throw input_error("{}: pickle: more than {} tensors, which is as many as are read", file_,
                        kMostTensors);
    check_view(out, tensor.offset);
    out.info.file_offset = tensor.offset * bits_per_element(storage.dtype) / 8;
    tensors_.push_back(std::move(out));
  }

  // Every element lies within the storage, and there are no more of them than it has.
  void check_view(const TorchTensor& tensor, uint64_t offset) const {
    const TensorInfo& info = tensor.info;
    const auto beyond = [&] {
      return input_error("{}: tensor {}: reaches beyond its storage of {} elements; the file is damaged",
                         file_, in_quotes(info.name), tensor.storage_elems);
    };
    uint64_t total_bytes = 0;
    if (__builtin_mul_overflow(tensor.storage_elems, bits_per_element(info.dtype) / 8, &total_bytes))
      throw beyond();
    if (offset > tensor.storage_elems) throw beyond();
    if (info.elems == 0) return;
    uint64_t last = offset;
    for (size_t i = 0; i < info.shape.size(); ++i) {
      uint64_t span = 0;
      if (__builtin_mul_overflow(info.shape[i] - 1, tensor.strides[i], &span) ||
          __builtin_add_overflow(last, span, &last))
        throw beyond();
    }
    if (last >= tensor.storage_elems) throw beyond();
    if (info.elems > tensor.storage_elems)
      throw input_error("{}: tensor {}: shows elements more than once (expand); save its contiguous()", file_,
                        in_quotes(info.name));
  }

  std::string_view file_, text_;
  size_t at_ = 0, opcode_at_ = 0;
  std::vector<Object> objects_;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;
  std::vector<std::optional<Id>> memo_;
  size_t items_ = 0, walked_ = 0, names_ = 0;
  std::vector<TorchTensor> tensors_;
};

}  // namespace

std::vector<TorchTensor> read_torch_pickle(std::string_view file, std::string_view pickle) {
  return Unpickler(file, pickle).read();
}

}  // namespace mlq::tensorfile
