// What changed between two arrays of words, as small numbers: which words differ, and by how many steps of
// their own order. The words of floats are mapped to unsigned integers in the order of the numbers (all bits
// flipped where the sign is set, else the sign bit only), subtracted modulo 2^w and folded by zigzag (0, -1,
// 1, -2 ... to 0, 1, 2, 3 ...), so that a value that moves to its neighbour gives 1 or 2, whatever its
// exponent. Integers are subtracted as they are. Any bits may stand in the words, NaN too: what comes back is
// the same bits.
//
// The result is a bit an element (of byte i / 8 the bit i % 8; 1 if it changed; bits behind the last are 0),
// and the folded differences of the changed ones alone, in their order, as byte planes: byte k of the j-th at
// planes[k * stride + j].
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

enum class WordOrder : uint8_t { integer, sign_magnitude };

// How the words of a type are taken. `width`: 1, 2, 4 or 8 bytes.
struct WordKind {
  unsigned width = 2;
  WordOrder order = WordOrder::sign_magnitude;
};

// Returns the number of changed words. `mask`: (elems + 7) / 8 bytes; `planes`: width planes of `stride`
// bytes, of which at least as many as words change; what is behind those is left as it was.
uint64_t ordered_diff_cpu(WordKind kind, uint64_t elems, const void* base, const void* next, uint8_t* mask,
                          uint8_t* planes, uint64_t stride);
uint64_t ordered_diff_simd(WordKind kind, uint64_t elems, const void* base, const void* next, uint8_t* mask,
                           uint8_t* planes, uint64_t stride);
// The number is written to *changed; scratch: ordered_diff_scratch_bytes(elems) on the device.
uint64_t ordered_diff_scratch_bytes(uint64_t elems);
void ordered_diff_cuda(WordKind kind, uint64_t elems, const void* base, const void* next, uint8_t* mask,
                       uint8_t* planes, uint64_t stride, uint64_t* changed, void* scratch, Stream stream);

// The way back, in place: `words` are the base and become what it was compared with. The planes have as many
// bytes as the mask has bits set; bits behind the last element are not looked at.
void ordered_patch_cpu(WordKind kind, uint64_t elems, const uint8_t* mask, const uint8_t* planes,
                       uint64_t stride, void* words);
void ordered_patch_cuda(WordKind kind, uint64_t elems, const uint8_t* mask, const uint8_t* planes,
                        uint64_t stride, void* words, void* scratch, Stream stream);

// For words of which nearly all change, and by much: byte k of base ^ next of each element, at
// planes[k * elems + i]; and the way back, in place.
void xor_planes_cpu(unsigned width, uint64_t elems, const void* base, const void* next, uint8_t* planes);
void xor_planes_cuda(unsigned width, uint64_t elems, const void* base, const void* next, uint8_t* planes,
                     Stream stream);
void xor_unplanes_cpu(unsigned width, uint64_t elems, const uint8_t* planes, void* words);
void xor_unplanes_cuda(unsigned width, uint64_t elems, const uint8_t* planes, void* words, Stream stream);

}  // namespace mlq::kernels
