// Which of Google Highway's targets kernels/ is compiled for; included before anything of Highway, by its
// sources and their tests.
#pragma once

// Vectors are kept in structs, which the targets of unknown vector length do not allow; and a CPU with SSSE3
// but without SSE4 is rarer than the time to compile for it is worth.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
