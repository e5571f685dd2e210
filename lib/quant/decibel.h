// Ratios in decibels, with the same bits on every machine (lib/base/fmath.h). Pure functions.
#pragma once

namespace mlq::quant {

// 10 log10(signal / noise): infinity without noise, and -infinity for noise without signal.
double snr_db_of(double signal_energy, double noise_energy);
// sqrt(noise / signal): 0 without noise, infinity for noise without signal.
double relative_error(double signal_energy, double noise_energy);
// 10^(db / 20): a ratio of amplitudes; 10^(db / 10): one of energies.
double amplitude_of_db(double db);
double energy_of_db(double db);

}  // namespace mlq::quant
