// The period of a series of counts, if one stands out.
#pragma once

#include <optional>
#include <span>

namespace mlq::arrival {

// The period, in steps of the series, of the strongest line in its spectrum; none if no line stands out. At
// least four periods must fit in the series, and a period has at least two steps.
//
// Lines are judged by Fisher's g test ("Tests of significance in harmonic analysis", Proc. R. Soc. A 125,
// 1929) at 1e-4: with q ordinates z of a spectrum that is flat and of exponential ordinates, P(max z / sum z
// > g) is at most q (1 - g)^(q - 1). Real traces have coloured spectra, so every ordinate is first divided by
// the level of its surroundings, a straight line through the logarithms of the ordinates within a factor of
// two in frequency (at most 50 on either side). Of several lines, the one of lowest frequency that has a
// quarter of the greatest power is the period and the others its harmonics; its frequency is then refined
// between the ordinates.
std::optional<double> strongest_period(std::span<const double> counts);

}  // namespace mlq::arrival
