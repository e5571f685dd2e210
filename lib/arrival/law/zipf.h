// Zipf's law on 1..n, P(k) proportional to k^-s, in O(1) memory: rejection-inversion (Hormann and Derflinger,
// "Rejection-inversion to generate variates from monotone discrete distributions", ACM TOMACS 6, 1996).
#pragma once

#include "lib/arrival/law/law.h"

namespace mlq::arrival {

// s in (0, 20], n in [1, 2^53]; throws a usage Error otherwise.
LawPtr zipf_law(double s, uint64_t n);

// The generalised harmonic number: the sum of k^-s for k = 1..n, by direct terms and the Euler-Maclaurin
// formula. Relative error about 1e-13.
double generalised_harmonic(uint64_t n, double s);

}  // namespace mlq::arrival
