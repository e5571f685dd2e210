// Pieces encoded on a CUDA device: the values go there once; codes, scales, sums and hashes come back.
#pragma once

#include <cstddef>
#include <span>

#include "lib/device/device.h"
#include "lib/quant/coding.h"
#include "lib/quant/tensor_totals.h"

namespace mlq::quant {

// A stream of the device with its buffers, for one thread. Several of them keep the bus and the device busy
// at once: while one copies, another computes. Buffers grow to the largest piece: on the device and as pinned
// memory at most four times a piece's values. Errors: environment Errors of the device.
class DeviceCoder {
 public:
  explicit DeviceCoder(const device::Device& device);

  // Pinned memory for the values of the next piece, until the next call.
  std::span<std::byte> input(size_t bytes);

  // Encodes the values of input(), which are coding.source, as encode_piece() does, decodes them again, and
  // gives what QuantizingWork reports: error sums and saturated values, and leaf digests of the values as
  // they were and as decoded. Waits for the device. The bytes and numbers are those of the CPU.
  void encode(const Coding& coding, const Range& range, Piece& out, PieceTotals& totals);

 private:
  // Memory of the device that only grows; what was in it is lost then.
  struct Room {
    device::DeviceBuffer buffer;
    uint8_t* get(const device::Device& device, size_t bytes);
  };
  // Queues a copy into the pinned output, of which the offset is returned.
  size_t bring(const void* from, size_t bytes);

  device::Device device_;
  device::Stream stream_;
  device::PinnedBuffer input_, output_;
  size_t input_bytes_ = 0, output_bytes_ = 0;
  Room values_, codes_, high_, scales_, escapes_, decoded_, scratch_, tally_, sums_, digests_;
};

}  // namespace mlq::quant
