// What a trial promises: expected improvement and probabilities of a normal posterior. Pure; any thread.
#pragma once

namespace mlq::tune {

// E max(0, best - Y) of Y ~ N(mean, sd^2): sd (z Phi(z) + phi(z)), z = (best - mean) / sd (Jones, Schonlau,
// Welch 1998, eq. 15). At sd 0 it is max(0, best - mean).
double expected_improvement(double mean, double sd, double best);
// P(Y <= limit).
double probability_below(double mean, double sd, double limit);

// V of a point: the estimate at first, the observation after many visits,
// (n observed + tau estimate) / (n + tau).
double blended_value(double n, double observed, double estimate, double tau);
// tau: variance of the noise over the variance of the estimator's error, leave-one-out residuals less the
// noise in them; 1 below 10 rows. In [0.01, 100].
double blend_tau(double noise_var, const double* residuals, unsigned long count);

}  // namespace mlq::tune
