#include "lib/quant/decibel.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "lib/base/fmath.h"

namespace mlq::quant {

double snr_db_of(double signal, double noise) {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  if (signal == 0) return -std::numeric_limits<double>::infinity();
  return 10 * (fmath::log(signal / noise) / std::numbers::ln10);
}

double relative_error(double signal, double noise) {
  if (noise == 0) return 0;
  return signal == 0 ? std::numeric_limits<double>::infinity() : std::sqrt(noise / signal);
}

double amplitude_of_db(double db) { return fmath::exp(db * (std::numbers::ln10 / 20)); }
double energy_of_db(double db) { return fmath::exp(db * (std::numbers::ln10 / 10)); }

}  // namespace mlq::quant
