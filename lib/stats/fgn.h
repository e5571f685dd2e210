// Fractional Gaussian noise: the stationary Gaussian series whose sums are self-similar with Hurst parameter
// H.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/base/random.h"

namespace mlq::stats {

inline constexpr size_t kFgnMaxSize = size_t{1} << 22;

// gamma(k) = (|k+1|^2H - 2|k|^2H + |k-1|^2H) / 2, gamma(0) = 1; for large k by the binomial series, because
// the differences of the formula lose all their digits there.
double fgn_autocovariance(double hurst, uint64_t k);

// n values of mean 0, variance 1 and autocovariance gamma, exact in law: the circulant embedding of Davies
// and Harte (Biometrika 1987) of size 2m, m = n rounded up to a power of two, whose eigenvalues are all >= 0
// (Craigmile 2003). The normals are quantiles of `random`.uniforms(j, 0, stream) at frequency j = 0 .. m, so
// the series is a pure function of (n, hurst, key, stream). 0 < hurst < 1 and 1 <= n <= 2^22, else a usage
// Error. Memory: about 64 bytes m; time: two FFTs of 2m.
std::vector<double> fgn(size_t n, double hurst, const RandomStream& random, uint32_t stream = 0);

}  // namespace mlq::stats
