#include "lib/serve/protocol/tensor_numbers.h"

#include <array>
#include <bit>
#include <cstring>

#include "lib/base/cpu_avx2.h"

#if MLQ_X86_64
#include <immintrin.h>
#endif

namespace mlq::serve {

#if MLQ_X86_64
namespace {

#define MLQ_INLINE inline __attribute__((always_inline))

// One bit a byte; bit k is byte k of the block.
struct Classes {
  uint64_t digit, zero, minus, dot, comma, open, close, blank;
  uint64_t exponent;  // e, E and +, which few texts have
};

struct Halves {
  __m256i low, high;
};

MLQ_TARGET_AVX2 MLQ_INLINE uint64_t bits(__m256i low, __m256i high) {
  const auto low_bits = static_cast<uint32_t>(_mm256_movemask_epi8(low));
  const auto high_bits = static_cast<uint32_t>(_mm256_movemask_epi8(high));
  return low_bits | uint64_t{high_bits} << 32;
}

MLQ_TARGET_AVX2 MLQ_INLINE uint64_t equal(const Halves& block, char c) {
  const __m256i wanted = _mm256_set1_epi8(c);
  return bits(_mm256_cmpeq_epi8(block.low, wanted), _mm256_cmpeq_epi8(block.high, wanted));
}

MLQ_TARGET_AVX2 MLQ_INLINE __m256i is_digit(__m256i bytes) {
  const __m256i from_zero = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
  return _mm256_cmpeq_epi8(_mm256_min_epu8(from_zero, _mm256_set1_epi8(9)), from_zero);
}

// Blanks by their low four bits: the shuffle puts the blank that has them there, or 0, whose low bits are
// others (a byte from 0x80 on gets 0 too).
MLQ_TARGET_AVX2 MLQ_INLINE __m256i is_blank_byte(__m256i bytes) {
  const __m256i blanks = _mm256_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0,  //
                                          ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0);
  return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(blanks, bytes), bytes);
}

MLQ_TARGET_AVX2 MLQ_INLINE __m256i is_exponent(__m256i bytes) {
  const __m256i lower = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
  return _mm256_or_si256(_mm256_cmpeq_epi8(lower, _mm256_set1_epi8('e')),
                         _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('+')));
}

template <bool nested>
MLQ_TARGET_AVX2 MLQ_INLINE Classes classify(const Halves& block) {
  Classes out;
  out.digit = bits(is_digit(block.low), is_digit(block.high));
  out.zero = equal(block, '0');
  out.minus = equal(block, '-');
  out.dot = equal(block, '.');
  out.comma = equal(block, ',');
  out.open = nested ? equal(block, '[') : 0;
  out.close = equal(block, ']');
  out.blank = bits(is_blank_byte(block.low), is_blank_byte(block.high));
  out.exponent = bits(is_exponent(block.low), is_exponent(block.high));
  return out;
}

// `mask` moved up by one byte; what falls out at the top comes in at the bottom of the next block.
MLQ_INLINE uint64_t after(uint64_t mask, uint64_t& carry) {
  const uint64_t moved = mask << 1 | carry;
  carry = mask >> 63;
  return moved;
}

// The bits that have an odd number of bits of `mask` at or below them.
MLQ_INLINE uint64_t odd_up_to(uint64_t mask) {
  for (int k = 1; k < 64; k *= 2) mask ^= mask << k;
  return mask;
}

// The first byte behind the run of `run` that begins at each bit of `first`; a bit outside `run` stays.
MLQ_INLINE uint64_t behind_run(uint64_t first, uint64_t run, uint64_t& carry) {
  uint64_t sum;
  const bool over = __builtin_add_overflow(first | carry, run, &sum);
  carry = over ? 1 : 0;
  return sum & ~run;
}

// The grammar of numbers. check() returns the bytes that break it; `all` and `first` get the bytes of numbers
// and the first byte of each.
class Numbers {
 public:
  template <bool integers>
  MLQ_INLINE uint64_t check(const Classes& c, uint64_t plus, uint64_t& all, uint64_t& first,
                            uint64_t& behind) {
    const uint64_t e = c.exponent & ~plus;
    all = c.digit | c.minus | c.dot | c.exponent;
    const uint64_t inside = after(all, all_);
    first = all & ~inside;
    behind = inside & ~all;

    const uint64_t after_digit = after(c.digit, digit_);
    const uint64_t after_dot = after(c.dot, dot_);
    const uint64_t minus_first = c.minus & first;
    const uint64_t after_minus = after(minus_first, minus_);
    uint64_t wrong = integers ? c.dot | c.exponent : 0;
    wrong |= (c.dot & ~after_digit) | (after_dot & ~c.digit) | (after_minus & ~c.digit);
    // No digit behind a zero at the start, no second point behind a fraction.
    const uint64_t leading = (first & ~c.minus) | after_minus;
    wrong |= after(leading & c.zero, zero_) & c.digit;
    wrong |= behind_run(after_dot, c.digit, fraction_) & c.dot;
    if ((c.exponent | exponents_) == 0) [[likely]]
      return wrong | (c.minus & ~first);

    const uint64_t after_e = after(e, e_);
    const uint64_t sign = (c.minus | plus) & after_e;
    const uint64_t after_sign = after(sign, sign_);
    wrong |= (e & ~after_digit) | (after_e & ~(c.digit | c.minus | plus)) | (after_sign & ~c.digit);
    wrong |= (plus & ~after_e) | (c.minus & ~(first | after_e));
    // Behind the digits of an exponent there is no point and no other exponent.
    wrong |= behind_run((after_e & c.digit) | after_sign, c.digit, exponent_) & (c.dot | e);
    exponents_ = e_ | sign_ | exponent_;
    return wrong;
  }

 private:
  // What reaches over the end of a block, one bit each.
  uint64_t all_ = 0, digit_ = 0, dot_ = 0, minus_ = 0, zero_ = 0, fraction_ = 0;
  uint64_t e_ = 0, sign_ = 0, exponent_ = 0, exponents_ = 0;
};

// The brackets of nested data against the shape, and the commas before the cuts.
class Nesting {
 public:
  Nesting(const Shape& shape, std::span<const uint64_t> cuts, std::vector<size_t>& commas)
      : shape_(shape), cuts_(cuts), commas_(commas) {}

  // Goes over the brackets of a block at `offset`. False: it is not the shape. `end` gets the bit of the last
  // closing bracket, if it is here.
  MLQ_INLINE bool block(const Classes& c, uint64_t first, size_t offset, uint64_t& end) {
    if (comma_due_ && c.comma != 0) note_comma(c.comma, offset);
    if (shape_.rank == 2) return rows(c, first, offset, end);
    for (uint64_t brackets = c.open | c.close; brackets != 0; brackets &= brackets - 1) {
      const uint64_t bit = brackets & (0 - brackets);
      const uint64_t values = values_ + static_cast<uint64_t>(std::popcount(first & (bit - 1)));
      const uint64_t here = values - before_;
      before_ = values;
      if ((c.open & bit) != 0) {
        if (here != 0 || depth_ == shape_.rank) return false;
        ++children_[depth_++];
        children_[depth_] = 0;
        continue;
      }
      const bool innermost = depth_ == shape_.rank;
      if (innermost ? here != shape_.dims[depth_ - 1]
                    : here != 0 || children_[depth_] != shape_.dims[depth_ - 1])
        return false;
      if (--depth_ == 0) {
        end = bit;
        return true;
      }
      if (depth_ == 1 && commas_.size() < cuts_.size() && cuts_[commas_.size()] == children_[1]) {
        comma_due_ = true;
        if (const uint64_t next = c.comma & ~(bit - 1); next != 0) note_comma(next, offset);
      }
    }
    values_ += static_cast<uint64_t>(std::popcount(first));
    return true;
  }

 private:
  // block() for rows of values: most brackets are those between two short rows, and are looked at together.
  MLQ_INLINE bool rows(const Classes& c, uint64_t first, size_t offset, uint64_t& end) {
    const uint64_t inside = odd_up_to(c.open | c.close) ^ inside_;
    uint64_t here = ~uint64_t{0};
    if (const uint64_t odd = (c.open & ~inside) | (c.close & inside); odd != 0) {
      end = odd & (0 - odd);
      if ((c.open & end) != 0) return false;
      here = end - 1;
    }
    const uint64_t values = first & here, closes = c.close & here;
    if ((values & ~inside) != 0) return false;
    for (uint64_t left = closes; left != 0; left &= left - 1) {
      const uint64_t bit = left & (0 - left);
      const uint64_t count = values_ + static_cast<uint64_t>(std::popcount(values & (bit - 1)));
      if (count - before_ != shape_.dims[1]) return false;
      before_ = count;
    }
    values_ += static_cast<uint64_t>(std::popcount(values));
    const uint64_t passed = children_[1];
    children_[1] += static_cast<uint64_t>(std::popcount(closes));
    if (commas_.size() < cuts_.size() && cuts_[commas_.size()] <= children_[1]) [[unlikely]]
      locate(closes, passed, c.comma, offset);
    inside_ = 0 - (inside >> 63);
    return end == 0 || children_[1] == shape_.dims[0];
  }

  // The commas before the cuts, behind the closing brackets of a block; `passed` stood before it.
  void locate(uint64_t closes, uint64_t passed, uint64_t comma, size_t offset) {
    while (commas_.size() < cuts_.size() && cuts_[commas_.size()] <= children_[1]) {
      for (; passed + 1 < cuts_[commas_.size()]; ++passed) closes &= closes - 1;
      const uint64_t next = comma & ~((closes & (0 - closes)) - 1);
      if (next == 0) {
        comma_due_ = true;
        return;
      }
      note_comma(next, offset);
    }
  }

  void note_comma(uint64_t mask, size_t offset) {
    commas_.push_back(offset + static_cast<size_t>(std::countr_zero(mask)));
    comma_due_ = false;
  }

  const Shape& shape_;
  std::span<const uint64_t> cuts_;
  std::vector<size_t>& commas_;
  size_t depth_ = 1;
  std::array<uint64_t, kMaxRank + 2> children_{};
  uint64_t values_ = 0, before_ = 0;
  uint64_t inside_ = 0;  // all bits: a row of rows() goes on into this block
  bool comma_due_ = false;
};

// The commas of flat data: how many, and where those before the cuts are.
class Commas {
 public:
  Commas(uint64_t in_a_row, std::span<const uint64_t> cuts, std::vector<size_t>& commas)
      : in_a_row_(in_a_row), cuts_(cuts), commas_(commas) {
    set_next();
  }

  MLQ_INLINE void block(uint64_t comma, size_t offset) {
    const auto here = static_cast<uint64_t>(std::popcount(comma));
    if (count_ + here >= next_) [[unlikely]]
      locate(comma, offset, here);
    count_ += here;
  }
  uint64_t count() const { return count_; }

 private:
  void set_next() { next_ = commas_.size() < cuts_.size() ? cuts_[commas_.size()] * in_a_row_ : UINT64_MAX; }
  void locate(uint64_t comma, size_t offset, uint64_t here) {
    uint64_t passed = count_;
    while (count_ + here >= next_) {
      for (; passed + 1 < next_; ++passed) comma &= comma - 1;
      commas_.push_back(offset + static_cast<size_t>(std::countr_zero(comma)));
      set_next();
    }
  }

  uint64_t in_a_row_;
  std::span<const uint64_t> cuts_;
  std::vector<size_t>& commas_;
  uint64_t count_ = 0;
  uint64_t next_ = 0;  // the number of the next comma that is wanted, from 1
};

// The 64 bytes at `offset`, with zeros (of no class) behind the end of the text.
MLQ_TARGET_AVX2 MLQ_INLINE Halves load(std::string_view text, size_t offset) {
  const char* from = text.data() + offset;
  alignas(32) char last[64];
  if (text.size() - offset < 64) [[unlikely]] {
    std::memset(last, 0, sizeof last);
    std::memcpy(last, from, text.size() - offset);
    from = last;
  }
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32))};
}

// Reads on from behind the outer opening bracket; returns the offset of its closing bracket, 0 if the text is
// not good.
template <bool nested, bool integers>
MLQ_TARGET_AVX2 size_t scan(std::string_view text, const Shape& shape, std::span<const uint64_t> cuts,
                            std::vector<size_t>& commas) {
  Numbers numbers;
  Nesting nesting(shape, cuts, commas);
  const uint64_t elements = element_count(shape.all()).value_or(0);
  Commas flat(element_count(shape.of_a_row()).value_or(0), nested ? std::span<const uint64_t>() : cuts,
              commas);
  // Blanks run over the end of a block behind a comma or an opening bracket (as at the start), or behind an
  // element.
  uint64_t comma_carry = 1, blanks_to_value = 0, close_carry = 0, blanks_to_comma = 0;
  for (size_t offset = 1; offset < text.size(); offset += 64) {
    const Halves block = load(text, offset);
    const Classes c = classify<nested>(block);
    const uint64_t plus = c.exponent != 0 ? equal(block, '+') : 0;
    uint64_t all, first, behind;
    uint64_t wrong = numbers.check<integers>(c, plus, all, first, behind);
    wrong |= ~(all | c.comma | c.open | c.close | c.blank);
    const uint64_t value_due = behind_run(after(c.comma | c.open, comma_carry), c.blank, blanks_to_value);
    wrong |= value_due & ~(first | c.open);
    const uint64_t closed = nested ? after(c.close, close_carry) : 0;
    const uint64_t comma_due = behind_run(behind | closed, c.blank, blanks_to_comma);
    wrong |= comma_due & ~(c.comma | c.close);

    uint64_t end = 0;
    if (nested) {
      if (!nesting.block(c, first, offset, end)) return 0;
    } else {
      end = c.close & (0 - c.close);
      flat.block(end != 0 ? c.comma & (end - 1) : c.comma, offset);
    }
    if (end == 0) {
      if (wrong != 0) return 0;
      continue;
    }
    if ((wrong & (end | (end - 1))) != 0) return 0;
    if (!nested && flat.count() + 1 != elements) return 0;
    return offset + static_cast<size_t>(std::countr_zero(end));
  }
  return 0;
}

}  // namespace

bool scan_numbers(std::string_view text, const Shape& shape, bool integers, std::span<const uint64_t> cuts,
                  TensorText& out, std::vector<size_t>& commas) {
  commas.clear();
  if (!cpu_has_avx2() || text.empty() || text[0] != '[') return false;
  size_t begin = 1;
  while (begin < text.size() && is_blank(text[begin])) ++begin;
  const bool nested = begin < text.size() && text[begin] == '[' && shape.rank > 1;
  const size_t close = nested
                           ? (integers ? scan<true, true> : scan<true, false>)(text, shape, cuts, commas)
                           : (integers ? scan<false, true> : scan<false, false>)(text, shape, cuts, commas);
  if (close == 0) return false;
  out = {nested ? Form::nested : Form::flat, begin, close, close + 1, false};
  while (is_blank(text[out.end - 1])) --out.end;
  return true;
}

#else

bool scan_numbers(std::string_view, const Shape&, bool, std::span<const uint64_t>, TensorText&,
                  std::vector<size_t>&) {
  return false;
}

#endif

}  // namespace mlq::serve
