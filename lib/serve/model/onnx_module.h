// What mlq_onnx.so does; plain C types, since its functions are found by name. OpenCV is in a module of its
// own, loaded only by the child process that runs an ONNX model: no program of mlq links it.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct MlqOnnxTensor {
  const char* name;
  float* values;
  size_t size;
};

// A network made of the bytes of an ONNX file; null, with the reason in `error` (always ended by a 0), if
// OpenCV does not take it.
using MlqOnnxLoad = void* (*)(const char* bytes, size_t size, char* error, size_t error_size);
// Computes `outputs`, whose sizes must be those of the network's results, from an input of `rank` dimensions.
// False, with the reason in `error`, if it fails. One call at a time.
using MlqOnnxRun = bool (*)(void* network, const char* input, float* values, const int* dimensions, int rank,
                            MlqOnnxTensor* outputs, size_t output_count, int threads, char* error,
                            size_t error_size);
}
