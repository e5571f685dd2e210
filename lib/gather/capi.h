/* A gather of weights from C: the arithmetic of mlq-quant gather for whoever moves the bytes himself (a
 * trainer, a framework's own collective). Library libmlqquant.
 *
 *   mlq_gather_options options = MLQ_GATHER_DEFAULTS;
 *   options.elems = n;
 *   mlq_gather* gather;
 *   if (mlq_gather_open(&options, &gather) != 0) fail(mlq_gather_error());
 *   uint64_t size;
 *   mlq_gather_encode(gather, step, step == 0, weights, MLQ_BF16, packet, mlq_gather_bound(gather), &size,
 * &error);
 *   ... send packet; every rank, its owner too:
 *   mlq_gather_apply(gather, packet, size);
 *   const void* held = mlq_gather_state(gather);
 *
 * Functions return 0, or the exit status that mlq-quant would have (2 the call is wrong, 3 the input is
 * wrong, 5 a fault of ours), with a message in mlq_gather_error(). One handle is for one thread at a time;
 * different ones do not know of each other. */
#ifndef MLQ_GATHER_CAPI_H
#define MLQ_GATHER_CAPI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One part of the weights, as its owner or as a receiver. */
typedef struct mlq_gather mlq_gather;

typedef enum { MLQ_F32 = 0, MLQ_F16 = 1, MLQ_BF16 = 2 } mlq_float;

typedef struct {
  uint64_t elems;          /* of the part */
  const char* cancel;      /* "delta", "residual", "dither:N", "none" */
  const char* grid;        /* "signed", "absmax", "mse"; NULL: what suits */
  uint32_t bits;           /* of a code: 8, 4, 3, 2 */
  uint32_t block;          /* elements with one scale: a power of two from 16 to 16384 */
  mlq_float scale;         /* type of the scales */
  mlq_float state;         /* type of what receivers hold */
  uint32_t key_bits;       /* of key frames: 8, 4, 3, 2, or 0 for values of the state's type */
  uint32_t threads;        /* at least 1 */
  double beta;             /* of residual: share that is kept */
  uint64_t residual_reset; /* of residual: steps after which it begins anew; 0: never */
  uint64_t seed;           /* of dither, with `tensor` and `first`, alike on all ranks */
  uint32_t tensor;         /* of dither: a number of the tensor, */
  uint64_t first;          /* and the element of it at which the part begins */
} mlq_gather_options;

#define MLQ_GATHER_DEFAULTS \
  { 0, "delta", 0, 4, 64, MLQ_BF16, MLQ_BF16, 8, 1, 1.0, 0, 1, 0, 0 }

/* Receivers hold zeros until the first packet, which of delta must be a key frame. */
int mlq_gather_open(const mlq_gather_options* options, mlq_gather** out);
void mlq_gather_close(mlq_gather* gather);

/* Bytes that no packet exceeds. */
uint64_t mlq_gather_bound(const mlq_gather* gather);

/* Encodes `weights` (elems of `type`) for a step into `packet`, and says how long it is. What is held does
 * not change before the packet is applied; of residual the owner applies it too, since that is when what was
 * rounded away is kept. `key`: a frame that does not depend on what is held. *rel_rmse (may be NULL): the
 * error that receivers will have, relative to the weights. */
int mlq_gather_encode(mlq_gather* gather, uint64_t step, int key, const void* weights, mlq_float type,
                      void* packet, uint64_t capacity, uint64_t* size, double* rel_rmse);

/* Applies a packet of the same options. Status 3, and nothing changes, if it is damaged or of others. */
int mlq_gather_apply(mlq_gather* gather, const void* packet, uint64_t size);

/* What is held: elems of the state's type, good until the next call for this handle. */
const void* mlq_gather_state(const mlq_gather* gather);
/* The canonical XXH3-128 tree hash of it, by which ranks can be compared. */
int mlq_gather_hash(const mlq_gather* gather, uint8_t digest[16]);
/* Takes values of the state's type as what is held: to go on where another process has stopped. */
int mlq_gather_restore(mlq_gather* gather, const void* state);

/* What went wrong last in this thread; "" if nothing did. */
const char* mlq_gather_error(void);

#ifdef __cplusplus
}
#endif

#endif
