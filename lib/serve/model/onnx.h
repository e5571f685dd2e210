// Models in ONNX, by OpenCV's dnn module.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/serve/model/model.h"

namespace mlq::serve::model {

// What an ONNX file (github.com/onnx/onnx, onnx.proto) says of its one input and its outputs: tensors of
// 32-bit floats whose first dimension is the batch and whose others are fixed. Read without OpenCV. An input
// Error names the file and what is wrong.
ModelInfo read_onnx_info(const std::string& name, std::string_view bytes);

// The model itself. An environment Error if mlq was built without OpenCV, an input Error if OpenCV does not
// take the file. predict() is for one thread, and `threads` is process-wide: that is how OpenCV is; so such a
// model runs in a process of its own (isolated.h).
std::unique_ptr<Model> load_onnx(const std::string& name, std::string_view bytes);

}  // namespace mlq::serve::model
