/* The C interface, from C: a sender and a receiver over a walk of the weights. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/gather/capi.h"

enum { kElems = 10007, kSteps = 50 };

static int failures = 0;
#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) {                                                           \
      printf("line %d: %s; %s\n", __LINE__, #condition, mlq_gather_error());      \
      ++failures;                                                                 \
    }                                                                             \
  } while (0)

/* Uniform in [-1, 1); a linear congruential generator is random enough here. */
static double uniform(void) {
  static uint64_t state = 12345;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (double)(state >> 11) * 0x1p-52 - 1;
}

static double relative_error(const float* held, const float* weights) {
  double error = 0, energy = 0;
  for (int i = 0; i < kElems; ++i) {
    error += ((double)held[i] - weights[i]) * ((double)held[i] - weights[i]);
    energy += (double)weights[i] * weights[i];
  }
  return sqrt(error / energy);
}

static void walks(const char* cancel, uint32_t bits, double bound) {
  mlq_gather_options options = MLQ_GATHER_DEFAULTS;
  options.elems = kElems;
  options.cancel = cancel;
  options.bits = bits;
  options.state = MLQ_F32;
  mlq_gather *sender = NULL, *receiver = NULL;
  CHECK(mlq_gather_open(&options, &sender) == 0);
  options.threads = 2;
  CHECK(mlq_gather_open(&options, &receiver) == 0);
  const uint64_t capacity = mlq_gather_bound(sender);
  unsigned char* packet = malloc(capacity);
  float* weights = malloc(kElems * sizeof *weights);
  for (int i = 0; i < kElems; ++i) weights[i] = (float)uniform();
  for (uint64_t step = 0; step < kSteps; ++step) {
    uint64_t size = 0;
    double error = 0;
    uint8_t mine[16], theirs[16];
    CHECK(mlq_gather_encode(sender, step, step == 0, weights, MLQ_F32, packet, capacity, &size, &error) == 0);
    CHECK(size <= capacity);
    CHECK(mlq_gather_apply(sender, packet, size) == 0);
    CHECK(mlq_gather_apply(receiver, packet, size) == 0);
    CHECK(mlq_gather_hash(sender, mine) == 0 && mlq_gather_hash(receiver, theirs) == 0);
    CHECK(memcmp(mine, theirs, 16) == 0);
    CHECK(fabs(relative_error(mlq_gather_state(receiver), weights) - error) < 1e-12);
    if (step + 1 == kSteps) CHECK(error <= bound);
    for (int i = 0; i < kElems; ++i) weights[i] += (float)(1e-3 * uniform());
  }
  free(weights);
  free(packet);
  mlq_gather_close(sender);
  mlq_gather_close(receiver);
}

static void refuses(void) {
  mlq_gather_options options = MLQ_GATHER_DEFAULTS;
  mlq_gather* gather = NULL;
  options.elems = 100;
  options.bits = 5;
  CHECK(mlq_gather_open(&options, &gather) == 2);
  CHECK(strcmp(mlq_gather_error(), "codes have 8, 4, 3 or 2 bits, not 5") == 0);
  options.bits = 4;
  CHECK(mlq_gather_open(&options, &gather) == 0);
  float weights[100] = {0};
  weights[17] = 1;
  unsigned char packet[1024];
  uint64_t size = 0;
  CHECK(mlq_gather_encode(gather, 0, 1, weights, MLQ_F32, packet, 10, &size, NULL) == 2);
  CHECK(mlq_gather_encode(gather, 0, 0, weights, MLQ_F32, packet, sizeof packet, &size, NULL) == 0);
  CHECK(mlq_gather_apply(gather, packet, size) == 3); /* a difference to nothing */
  CHECK(mlq_gather_encode(gather, 0, 1, weights, MLQ_F32, packet, sizeof packet, &size, NULL) == 0);
  for (uint64_t at = 0; at < size; ++at) {
    if (at >= 8 && at < 16) continue; /* which rank it is from changes nothing */
    if (at >= 16 && at < 24) continue; /* nor does the step, but for dither */
    packet[at] ^= 1;
    CHECK(mlq_gather_apply(gather, packet, size) == 3);
    packet[at] ^= 1;
  }
  CHECK(mlq_gather_apply(gather, packet, size - 1) == 3);
  CHECK(mlq_gather_apply(gather, packet, size) == 0);
  weights[18] = NAN;
  CHECK(mlq_gather_encode(gather, 1, 0, weights, MLQ_F32, packet, sizeof packet, &size, NULL) == 3);
  CHECK(strncmp(mlq_gather_error(), "element 18 is NaN", 17) == 0);
  mlq_gather_close(gather);
}

int main(void) {
  walks("delta", 4, 1.3e-4);
  walks("delta", 2, 6e-4);
  walks("residual", 4, .2);
  walks("dither:4", 4, .15);
  walks("none", 8, .01);
  refuses();
  return failures != 0;
}
