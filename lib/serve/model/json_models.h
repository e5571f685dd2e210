// The back ends whose models are JSON files. `name` is the file's, for messages; an input Error names it and
// the field that is wrong. The formats are described in mlq-model(1).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/serve/model/model.h"

namespace mlq::serve::model {

// Linear classifier: W x + b, then softmax (outputs `label`, `scores`) or argmax (`label` alone).
std::unique_ptr<Model> read_linear(const std::string& name, std::string_view text);

// Kernel support vector machine, one against one: for classes a < b the sum over their support vectors of c_k
// exp(-gamma |x - s_k|^2), plus an intercept, is a vote for a above 0 and else for b; most votes win, the
// first class of several (C.-C. Chang and C.-J. Lin, LIBSVM, ACM TIST 2, 2011, section 7). `scores` are the
// votes.
std::unique_ptr<Model> read_kernel_svm(const std::string& name, std::string_view text);

// Decision trees whose leaves hold a value a class; `scores` are their mean or their sum over the trees.
std::unique_ptr<Model> read_forest(const std::string& name, std::string_view text);

}  // namespace mlq::serve::model
