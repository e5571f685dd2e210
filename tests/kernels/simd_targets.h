// Runs a test on every SIMD target that was compiled and that this machine has.
#pragma once

#include <gtest/gtest.h>

#include "kernels/simd.h"
// After it.
#include <hwy/highway.h>

namespace mlq::kernels::test {

template <class Body>
void on_every_simd_target(Body&& body) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    body();
    if (testing::Test::HasFatalFailure()) break;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

}  // namespace mlq::kernels::test
