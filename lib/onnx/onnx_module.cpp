// The module mlq_onnx.so; see lib/serve/model/onnx_module.h.
#include "lib/serve/model/onnx_module.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <string>
#include <vector>

namespace {

void say(char* error, size_t size, const char* what) {
  std::strncpy(error, what, size - 1);
  error[size - 1] = '\0';
}

// OpenCV would print what it also throws.
int ignore(int, const char*, const char*, const char*, int, void*) { return 0; }

void run(cv::dnn::Net& network, const char* input, const cv::Mat& values, MlqOnnxTensor* outputs,
         size_t count) {
  network.setInput(values, input);
  std::vector<cv::String> names;
  for (size_t k = 0; k < count; ++k) names.emplace_back(outputs[k].name);
  std::vector<cv::Mat> results;
  network.forward(results, names);
  for (size_t k = 0; k < count; ++k) {
    const cv::Mat whole = results[k].isContinuous() ? results[k] : results[k].clone();
    if (whole.depth() != CV_32F || whole.total() != outputs[k].size)
      throw std::runtime_error("output \"" + std::string(outputs[k].name) +
                               "\" has another size than its metadata says");
    std::memcpy(outputs[k].values, whole.ptr(), outputs[k].size * sizeof(float));
  }
}

}  // namespace

extern "C" void* mlq_onnx_load(const char* bytes, size_t size, char* error, size_t error_size) {
  try {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::redirectError(ignore);
    return new cv::dnn::Net(cv::dnn::readNetFromONNX(bytes, size));
  } catch (const std::exception& failure) {
    say(error, error_size, failure.what());
    return nullptr;
  }
}

extern "C" bool mlq_onnx_run(void* network, const char* input, float* values, const int* dimensions, int rank,
                             MlqOnnxTensor* outputs, size_t output_count, int threads, char* error,
                             size_t error_size) {
  try {
    if (cv::getNumThreads() != threads) cv::setNumThreads(threads);
    run(*static_cast<cv::dnn::Net*>(network), input, cv::Mat(rank, dimensions, CV_32F, values), outputs,
        output_count);
    return true;
  } catch (const std::exception& failure) {
    say(error, error_size, failure.what());
    return false;
  }
}
