// One number in three spellings: how alike two halves of a batch's gradient shall be.
#pragma once

namespace mlq::simigrad {

// gamma, in (0, 1): cosine of the mean gradients of two halves of the whole batch.
// kappa, above 0: batch over gradient noise scale, B = kappa B_simple.
// theta, above 0: of the norm test (Byrd, Chin, Nocedal, Wu 2012), |noise of the mean| <= theta |gradient|.
// With E[cos] = 1 / (1 + 2 B_simple / B): kappa = 2 gamma / (1 - gamma) = 1 / theta^2. Usage Errors for what
// is out of range. A value type.
class Target {
 public:
  static Target of_gamma(double gamma);
  static Target of_theta(double theta);
  static Target of_kappa(double kappa);

  double gamma() const { return gamma_; }
  double theta() const { return theta_; }
  double kappa() const { return kappa_; }

 private:
  Target(double gamma, double theta, double kappa) : gamma_(gamma), theta_(theta), kappa_(kappa) {}
  double gamma_, theta_, kappa_;
};

}  // namespace mlq::simigrad
