/* cpu.h - what this processor and its operating system allow. The answers come from the compiler's
 * run-time library or the kernel's auxiliary vector, which cache them before main: no state here. */
#ifndef REED_CPU_H
#define REED_CPU_H

#include <stdbool.h>

bool cpu_has_sse42(void);        /* crc32 instruction, with PCLMULQDQ */
bool cpu_has_avx2(void);         /* AVX2 with SSE4.2 and PCLMULQDQ */
bool cpu_has_avx2_gfni(void);    /* and GFNI in its VEX encoding */
bool cpu_has_avx512_gfni(void);  /* AVX-512 F, BW, VL; GFNI; VPCLMULQDQ */
bool cpu_foresees_streams(void); /* its prefetchers beat software on many streams */
bool cpu_has_neon(void);         /* every aarch64 */
bool cpu_has_arm_crc32(void);

#endif
