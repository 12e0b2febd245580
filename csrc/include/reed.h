/* reed.h - erasure coding, replication and integrity for storage systems.
 *
 * This is the only public header and it is the manual. Everything is one idea:
 *
 *     targets = coefficients x sources        over GF(2^8), polynomial 0x11d
 *
 * A *code* fixes the generator matrix (which data and parity shards exist and how they depend
 * on each other). A *plan* says which targets come from which sources; encode, reconstruct,
 * verify and update are all plans. One function applies a plan to a range of columns.
 *
 * In layers, from the least to learn to the most to gain:
 *  - stripes: encode, reconstruct or verify one stripe in one call;
 *  - plans: the same with everything that does not depend on data done once, the caller's scratch,
 *    ranges of columns for threads, and the caller's allocator;
 *  - fused: a plan that also gives the CRC32C of every block that it reads or writes;
 *  - shard files: headers, blocks and footers, in which every byte is verified when it is read.
 *
 * ABI: the shared library is libreed.so.MAJOR. Within one MAJOR, 0 included, what is released keeps
 * its name, signature, value, size and offset; a program that was linked against an older MINOR
 * runs with a newer one. New functions, enumerators and, in structs that begin with struct_size,
 * new last fields raise MINOR. Opaque structs are not part of it.
 *
 * Conventions that hold for every function unless its comment says otherwise:
 *  - Shards are numbered 0 .. data_shards + parity_shards - 1, data first. A shard is
 *    `shard_size` bytes; any size from 0 up; all shards of a stripe have the same size.
 *  - A *column* is one byte position. Columns never depend on each other, so a caller may split
 *    [0, shard_size) over threads in any way; the bytes do not depend on the split.
 *  - Data buffers belong to the caller. No alignment is needed; 64-byte aligned is faster.
 *    A target must not overlap a source or another target: this is not checked.
 *  - Codes and plans are immutable after creation and may be used by any number of threads at
 *    once. The library has no mutable global state, takes no lock and starts no thread.
 *  - Every function that can fail returns enum reed_status. After an error no output holds
 *    anything that could be mistaken for data: creators store NULL, appliers reject their
 *    arguments before the first byte is written.
 *  - Out-of-range parameters are refused, never adjusted.
 *  - The bytes never depend on the kernel, the machine or the number of threads.
 *
 * Needs a C11 compiler: gcc 9 or clang 9 on x86-64 and aarch64 (the vector kernels use function
 * attributes); any C11 compiler builds the portable kernel.
 */
#ifndef REED_H
#define REED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REED_VERSION_MAJOR 0
#define REED_VERSION_MINOR 1
#define REED_VERSION_PATCH 0

#if defined(__GNUC__) || defined(__clang__)
#define REED_API __attribute__((visibility("default")))
#define REED_MUST_CHECK __attribute__((warn_unused_result))
#else
#define REED_API
#define REED_MUST_CHECK
#endif

/* "major.minor.patch" of the library that is running. */
REED_API const char *reed_version(void);

/* ------------------------------------------------------------------------------------------
 * Statuses
 * ---------------------------------------------------------------------------------------- */

enum reed_status {
    REED_OK = 0,
    REED_INVALID_PARAMETER = 1,    /* an argument is out of its documented range */
    REED_OUT_OF_MEMORY = 2,        /* the allocator returned NULL; nothing was changed */
    REED_TOO_FEW_SHARDS = 3,       /* fewer shards available than the operation needs */
    REED_NOT_MDS = 4,              /* this generator loses data at this shape; refused */
    REED_SINGULAR = 5,             /* a non-MDS pattern of losses that cannot be inverted */
    REED_UNKNOWN_KERNEL = 6,       /* no kernel of this name is compiled in */
    REED_UNSUPPORTED_KERNEL = 7,   /* the kernel exists but this processor cannot run it */
    REED_UNKNOWN_GENERATOR = 8,    /* no generator of this name or number */
    REED_MISMATCH = 9,             /* the shards do not agree with each other */
    REED_AMBIGUOUS = 10,           /* more shards are wrong than can be located */
    REED_TOO_COMPLEX = 11,         /* locating in this code would take too many trials */
    /* Of the shard format (the last section of this file). */
    REED_NOT_A_SHARD = 20,         /* the magic is absent: some other file, or torn */
    REED_TRUNCATED = 21,           /* fewer bytes than the structure needs */
    REED_CORRUPT = 22,             /* a checksum does not match */
    REED_MALFORMED = 23,           /* the checksum matches but a field is out of range */
    REED_UNSUPPORTED_VERSION = 24, /* written by a newer major version */
    REED_UNSUPPORTED_FEATURE = 25  /* an incompatible feature flag that this version lacks */
};

/* A short English sentence for a status; never NULL, also for unknown numbers. */
REED_API const char *reed_status_message(enum reed_status status);

/* ------------------------------------------------------------------------------------------
 * Memory
 * ---------------------------------------------------------------------------------------- */

/* Where codes and plans live. `allocate` returns memory aligned as malloc does, or NULL;
 * `release` gets what `allocate` returned, never NULL. Both may be called from any thread that
 * creates or destroys a code or a plan. Nothing is allocated while data is processed; the one
 * exception, reed_locate, says so. */
struct reed_allocator {
    void *(*allocate)(void *context, size_t size);
    void (*release)(void *context, void *memory);
    void *context;
};

/* ------------------------------------------------------------------------------------------
 * Kernels
 * ---------------------------------------------------------------------------------------- */

/* One implementation of the arithmetic for one instruction set: "portable", "avx2",
 * "avx2_gfni", "avx512_gfni", "neon". All give the same bytes. */
struct reed_kernel;

/* The kernels that are compiled in, the preferred one first; NULL past the last. */
REED_API const struct reed_kernel *reed_kernel_at(size_t position);
REED_API const char *reed_kernel_name(const struct reed_kernel *kernel);
/* 1 when this processor and operating system can run it, else 0. */
REED_API int reed_kernel_is_supported(const struct reed_kernel *kernel);

/* Finds a kernel by name. A NULL or empty name means: the environment variable REED_KERNEL when
 * it is set and not empty, else the preferred supported kernel. A name that cannot be had is an
 * error (REED_UNKNOWN_KERNEL, REED_UNSUPPORTED_KERNEL), never replaced by another. */
REED_API REED_MUST_CHECK enum reed_status reed_kernel_find(const char *name,
                                                           const struct reed_kernel **kernel);

/* ------------------------------------------------------------------------------------------
 * CRC32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720 appendix B.4)
 * ---------------------------------------------------------------------------------------- */

/* The CRC32C of `size` bytes that continue data whose CRC32C is `value` (0 to begin). */
REED_API uint32_t reed_crc32c(uint32_t value, const void *data, size_t size);
/* The same on a chosen kernel, for tests and benchmarks. */
REED_API uint32_t reed_kernel_crc32c(const struct reed_kernel *kernel, uint32_t value,
                                     const void *data, size_t size);
/* The CRC32C of A||B from crc(A), crc(B) and the length of B, without the bytes. */
REED_API uint32_t reed_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b);

/* CRC-32 (IEEE 802.3, reflected polynomial 0xedb88320; the one of zlib), for the formats of other
 * systems; reed's own have CRC32C. */
REED_API uint32_t reed_crc32(uint32_t value, const void *data, size_t size);
REED_API uint32_t reed_kernel_crc32(const struct reed_kernel *kernel, uint32_t value,
                                    const void *data, size_t size);

/* ------------------------------------------------------------------------------------------
 * Codes
 * ---------------------------------------------------------------------------------------- */

/* The generator matrices. Numbers and bytes are frozen in FORMAT.md.
 * All are systematic: shard i < data_shards is data row i itself. */
enum reed_generator {
    REED_GENERATOR_NATIVE = 1,      /* column-scaled Cauchy on a Cantor basis; fastest */
    REED_GENERATOR_REPLICATION = 2, /* data_shards = 1, every parity shard a copy */
    REED_GENERATOR_ISAL_CAUCHY = 3, /* ISA-L gf_gen_cauchy1_matrix; liberasurecode, HDFS */
    REED_GENERATOR_ISAL_VAND = 4,   /* ISA-L gf_gen_rs_matrix; MDS only for some shapes */
    REED_GENERATOR_VAND_INV = 5,    /* liberasurecode isa_l_rs_vand_inv */
    REED_GENERATOR_ZFEC = 6,        /* zfec, Tahoe-LAFS */
    REED_GENERATOR_KLAUSPOST = 7,   /* klauspost/reedsolomon, Backblaze, MinIO */
    REED_GENERATOR_EXPLICIT = 255   /* the caller's own matrix; has no number on disk */
};

/* "native", "isal-cauchy", ...; NULL for an unknown number. */
REED_API const char *reed_generator_name(enum reed_generator generator);
REED_API REED_MUST_CHECK enum reed_status reed_generator_find(const char *name,
                                                              enum reed_generator *generator);

enum {
    REED_SHARDS_MAX = 256, /* data_shards + parity_shards over GF(2^8) */
    /* Accept a shape at which the generator is not MDS (isal-vand, explicit), so that old data
     * decodes where its losses can be inverted. Do not write new data with such a code. */
    REED_ALLOW_NON_MDS = 1
};

struct reed_code_options {
    size_t struct_size; /* sizeof(struct reed_code_options): lets the struct grow */
    enum reed_generator generator;
    uint32_t data_shards;   /* >= 1 */
    uint32_t parity_shards; /* >= 0; data + parity <= REED_SHARDS_MAX */
    uint32_t flags;         /* REED_ALLOW_NON_MDS or 0 */
    /* REED_GENERATOR_EXPLICIT only, else NULL: parity_shards rows of data_shards coefficients,
     * row-major; copied. Whether it is MDS is not checked. */
    const uint8_t *matrix;
    const struct reed_kernel *kernel;       /* NULL: as reed_kernel_find(NULL) */
    const struct reed_allocator *allocator; /* NULL: malloc and free; copied */
};

struct reed_code;

/* Errors: INVALID_PARAMETER, NOT_MDS, UNKNOWN_GENERATOR, UNKNOWN_KERNEL, UNSUPPORTED_KERNEL,
 * OUT_OF_MEMORY. */
REED_API REED_MUST_CHECK enum reed_status reed_code_create(const struct reed_code_options *options,
                                                           struct reed_code **code);
/* NULL is allowed. Plans made from the code stay valid: they share nothing with it. */
REED_API void reed_code_destroy(struct reed_code *code);

REED_API uint32_t reed_code_data_shards(const struct reed_code *code);
REED_API uint32_t reed_code_parity_shards(const struct reed_code *code);
REED_API enum reed_generator reed_code_generator(const struct reed_code *code);
REED_API const struct reed_kernel *reed_code_kernel(const struct reed_code *code);

/* Writes the data_shards coefficients that make shard `shard_index` from the data. */
REED_API REED_MUST_CHECK enum reed_status
reed_code_row(const struct reed_code *code, uint32_t shard_index, uint8_t *coefficients);

/* CRC32C of the parity rows (parity_shards x data_shards bytes, row-major): the fingerprint by
 * which a shard file pins its generator. */
REED_API uint32_t reed_code_matrix_crc32c(const struct reed_code *code);

/* ------------------------------------------------------------------------------------------
 * Plans
 * ---------------------------------------------------------------------------------------- */

struct reed_plan;

/* All parity shards from all data shards. Sources: data 0 .. k-1; targets: parity in order.
 * A code that was created with REED_ALLOW_NON_MDS at a non-MDS shape gives NOT_MDS. */
REED_API REED_MUST_CHECK enum reed_status reed_plan_create_encode(const struct reed_code *code,
                                                                  struct reed_plan **plan);

/* The `wanted` shards (data or parity, in the order given) from the `available` ones.
 * `available` is strictly ascending. The sources are the first data_shards available indices
 * that are not wanted (for a non-MDS code: the first whose rows are independent); ask the plan
 * which. A wanted index is never a source, so a shard that is both is recomputed from others.
 * Errors: INVALID_PARAMETER (index out of range, not ascending, wanted twice),
 * TOO_FEW_SHARDS, SINGULAR (non-MDS codes only), OUT_OF_MEMORY. */
REED_API REED_MUST_CHECK enum reed_status
reed_plan_create_reconstruct(const struct reed_code *code, const uint32_t *available,
                             size_t available_count, const uint32_t *wanted, size_t wanted_count,
                             struct reed_plan **plan);

/* A change of one data shard, applied to parity in place: targets ^= G[target] (old ^ new).
 * Two sources, the old and the new bytes of data shard `shard_index`; targets are the parity
 * shards in `parity` (shard indices, in that order). */
REED_API REED_MUST_CHECK enum reed_status
reed_plan_create_update(const struct reed_code *code, uint32_t shard_index, const uint32_t *parity,
                        size_t parity_count, struct reed_plan **plan);

/* Any coefficients: target i = sum over j of matrix[i * source_count + j] * source j.
 * Source and target indices are then just positions. Counts are 1 .. 65,536 and 0 .. 65,536. */
REED_API REED_MUST_CHECK enum reed_status
reed_plan_create_matrix(const struct reed_kernel *kernel, const struct reed_allocator *allocator,
                        const uint8_t *matrix, size_t target_count, size_t source_count,
                        struct reed_plan **plan);

REED_API void reed_plan_destroy(struct reed_plan *plan);

/* The shard indices behind positions of the `sources` and `targets` arrays below. */
REED_API uint32_t reed_plan_source_count(const struct reed_plan *plan);
REED_API uint32_t reed_plan_target_count(const struct reed_plan *plan);
REED_API uint32_t reed_plan_source(const struct reed_plan *plan, uint32_t position);
REED_API uint32_t reed_plan_target(const struct reed_plan *plan, uint32_t position);
/* The bytes that the plan itself occupies: what a bounded cache counts. */
REED_API size_t reed_plan_memory_size(const struct reed_plan *plan);

/* Bytes of scratch that reed_plan_apply and reed_plan_compare need; may be 0. The caller owns the
 * scratch; any alignment; its content does not matter; one thread at a time may use it. */
REED_API size_t reed_plan_apply_scratch_size(const struct reed_plan *plan);
REED_API size_t reed_plan_compare_scratch_size(const struct reed_plan *plan);

/* Computes columns [begin, end) of every target (an update plan: XORs into them). Pointers are to
 * column 0 of each shard, in the order of reed_plan_source and reed_plan_target. Bytes outside
 * the range are neither read nor written. An empty range is allowed and touches nothing.
 * Errors: INVALID_PARAMETER (begin > end; NULL arrays; NULL scratch where one is needed). */
REED_API REED_MUST_CHECK enum reed_status
reed_plan_apply(const struct reed_plan *plan, const uint8_t *const *sources,
                uint8_t *const *targets, size_t begin, size_t end, void *scratch);

/* Computes the targets in scratch and compares them with the given ones, which are only read.
 * REED_OK: equal. REED_MISMATCH: *column (when not NULL) is the first column that differs.
 * An update plan has nothing to compare: INVALID_PARAMETER. */
REED_API REED_MUST_CHECK enum reed_status
reed_plan_compare(const struct reed_plan *plan, const uint8_t *const *sources,
                  const uint8_t *const *targets, size_t begin, size_t end, void *scratch,
                  size_t *column);

/* Computes columns [begin, end) of every target, and the CRC32C of every block of every source and
 * target, in one pass over memory. Blocks of block_size columns are counted from `begin`; the last
 * may be shorter. The checksum of block b of the source (target) at position p is stored at
 * source_crc32c (target_crc32c) [p * checksum_stride + b]; checksum_stride is at least the number
 * of blocks, so that threads which share a stripe by whole blocks can share the arrays.
 * Encoding: checksums of all shards for the price of the product. Decoding: compare the sources'
 * checksums with the recorded ones, and discard the targets where one differs.
 * Errors: INVALID_PARAMETER (begin > end, block_size 0, a stride that is too small, NULL arrays or
 * scratch, an update plan). */
REED_API size_t reed_plan_apply_crc32c_scratch_size(const struct reed_plan *plan);
REED_API REED_MUST_CHECK enum reed_status
reed_plan_apply_crc32c(const struct reed_plan *plan, const uint8_t *const *sources,
                       uint8_t *const *targets, size_t begin, size_t end, size_t block_size,
                       uint32_t *source_crc32c, uint32_t *target_crc32c, size_t checksum_stride,
                       void *scratch);

/* ------------------------------------------------------------------------------------------
 * Whole stripes in one call: the simple layer
 *
 * `shards` are pointers to all data_shards + parity_shards shards in order, each of shard_size
 * bytes. Every call makes its plan anew, through the code's allocator: a few microseconds, which
 * is nothing for a stripe of a megabyte and most of the time for one of a kilobyte. Whoever encodes
 * many stripes keeps a plan, above.
 * None of these knows whether the bytes it is given are the right ones: see the shard format.
 * Errors of all: INVALID_PARAMETER (a NULL pointer where bytes are needed), OUT_OF_MEMORY.
 * ---------------------------------------------------------------------------------------- */

/* Parity from data. Errors: also NOT_MDS (the code is for decoding only). */
REED_API REED_MUST_CHECK enum reed_status reed_stripe_encode(const struct reed_code *code,
                                                             uint8_t *const *shards,
                                                             size_t shard_size);

/* Rebuilds the shards i with is_present[i] == 0 from the others. A shard that is neither present
 * nor wanted has the pointer NULL. With nothing to rebuild it does nothing.
 * Errors: also TOO_FEW_SHARDS, SINGULAR (non-MDS codes only); no shard is then written. */
REED_API REED_MUST_CHECK enum reed_status
reed_stripe_reconstruct(const struct reed_code *code, uint8_t *const *shards,
                        const uint8_t *is_present, size_t shard_size);

/* Whether the parity shards are those of the data. REED_MISMATCH: *column (when not NULL) is the
 * first column at which they are not; reed_locate may tell which shard is wrong. */
REED_API REED_MUST_CHECK enum reed_status reed_stripe_verify(const struct reed_code *code,
                                                             const uint8_t *const *shards,
                                                             size_t shard_size, size_t *column);

/* ------------------------------------------------------------------------------------------
 * Locating wrong shards without checksums
 * ---------------------------------------------------------------------------------------- */

/* Finds which of the given shards are wrong. With g shards given (`indices`, strictly ascending;
 * `shards` in the same order), t = floor((g - data_shards) / 2) wrong shards per byte column can be
 * located. If no column has more than t, the result is exactly the set of shards that are wrong
 * anywhere (over all columns it may hold more than t). Column by column bounded-distance decoding:
 * a column beyond t gives REED_AMBIGUOUS (*column tells which) or, with a probability of about
 * sum_{i<=t} C(g, i) 255^i / 256^(g - data_shards), a wrong answer.
 *
 * Writes ascending indices to `wrong` (room for g) and their number to *wrong_count.
 * A clean stripe costs one encode. Shards whose errors lie on the same few rows stay cheap;
 * adversarial patterns (other rows in each column) cost a decoder run per column.
 * Allocates working memory through the code's allocator, independent of shard_size.
 * The bound is that of an MDS code. With an explicit matrix that is not, errors that it cannot tell
 * apart are AMBIGUOUS or stay unnamed; within the bound no good shard is named by it either.
 * Errors: INVALID_PARAMETER; TOO_FEW_SHARDS (g <= data_shards: nothing to agree with); NOT_MDS (the
 * code is for decoding only); AMBIGUOUS; SINGULAR (explicit codes: the first data_shards given, or
 * those that are not yet known to be wrong, do not determine the others); TOO_COMPLEX (explicit
 * and isal-vand codes are searched exhaustively; refused beyond 2^20 trials a column);
 * OUT_OF_MEMORY. After an error *wrong_count is 0. */
REED_API REED_MUST_CHECK enum reed_status
reed_locate(const struct reed_code *code, const uint32_t *indices, size_t given_count,
            const uint8_t *const *shards, size_t shard_size, uint32_t *wrong, size_t *wrong_count,
            size_t *column);

/* ------------------------------------------------------------------------------------------
 * Shard files: see FORMAT.md for the bytes
 *
 * header (256 B) || block records || footer (256 B). The functions below parse and write these
 * structures in memory; they do no input or output. Any bytes are safe to parse. Everything they
 * return has been verified against a checksum and a range.
 * ---------------------------------------------------------------------------------------- */

enum {
    REED_SHARD_HEADER_SIZE = 256,
    REED_SHARD_FOOTER_SIZE = 256,
    REED_BLOCK_HEADER_SIZE = 64,
    REED_BLOCK_ALIGNMENT = 64, /* a record is padded with zeros to a multiple of this */
    REED_BLOCK_SIZE_MIN = 4096,
    REED_BLOCK_SIZE_MAX = 16777216,
    REED_BLOCK_SIZE_DEFAULT = 65536,
    REED_STRIPE_ID_SIZE = 16,
    REED_DIGEST_SIZE = 32,
    REED_FORMAT_MAJOR = 1,
    REED_FORMAT_MINOR = 0
};

/* The largest object of one stripe, bytes: everything computed from it fits 63 bits. */
#define REED_OBJECT_SIZE_MAX (UINT64_C(1) << 62)

enum reed_digest { REED_DIGEST_NONE = 0, REED_DIGEST_SHA256 = 1, REED_DIGEST_BLAKE3 = 2 };

/* Which field was refused, so that an error can name the value and the limit. Filled by the
 * functions below when they fail and the pointer is not NULL; all zero on success. */
struct reed_format_fault {
    const char *field; /* its name in FORMAT.md, never freed; NULL when no field is to blame */
    uint64_t value;    /* what it holds */
    uint64_t minimum;  /* the smallest and the largest value that would be accepted beside the */
    uint64_t maximum;  /* other fields; block_size must also be a power of two */
};

/* What a header says; a footer says the same and the last three fields. */
struct reed_shard_info {
    uint8_t stripe_id[REED_STRIPE_ID_SIZE]; /* not all zero */
    uint32_t generator;       /* enum reed_generator, but not EXPLICIT */
    uint32_t matrix_crc32c;   /* reed_code_matrix_crc32c; the caller compares it with its code's */
    uint32_t data_shards;
    uint32_t parity_shards;
    uint32_t shard_index;
    uint32_t block_size;
    uint32_t digest_type;     /* enum reed_digest */
    uint32_t compatible_flags; /* unknown ones are kept and ignored */
    uint16_t version_major;   /* set by parse; ignored by write */
    uint16_t version_minor;
    uint64_t object_size;     /* footer only, bytes; up to REED_OBJECT_SIZE_MAX */
    uint64_t row_count;       /* footer only; what reed_shard_layout says for the sizes */
    uint8_t digest[REED_DIGEST_SIZE]; /* footer only, of the whole object; zero for DIGEST_NONE */
};

/* Write 256 bytes. A header ignores the footer's fields.
 * Errors: INVALID_PARAMETER when a field is out of its range (nothing is written). */
REED_API REED_MUST_CHECK enum reed_status
reed_shard_header_write(const struct reed_shard_info *info, uint8_t *bytes,
                        struct reed_format_fault *fault);
REED_API REED_MUST_CHECK enum reed_status
reed_shard_footer_write(const struct reed_shard_info *info, uint8_t *bytes,
                        struct reed_format_fault *fault);

/* Parse `size` bytes that begin with a header or footer. On error *info is all zero.
 * Errors: NOT_A_SHARD (another magic), TRUNCATED (fewer than 256 bytes, with the magic as far as
 * they go), CORRUPT, UNSUPPORTED_VERSION, UNSUPPORTED_FEATURE (an incompatible flag, or a field,
 * generator, checksum or digest number, that this version does not know), MALFORMED. */
REED_API REED_MUST_CHECK enum reed_status
reed_shard_header_parse(const uint8_t *bytes, size_t size, struct reed_shard_info *info,
                        struct reed_format_fault *fault);
REED_API REED_MUST_CHECK enum reed_status
reed_shard_footer_parse(const uint8_t *bytes, size_t size, struct reed_shard_info *info,
                        struct reed_format_fault *fault);

/* The identity of one block, part of what its checksum covers. It holds the whole geometry, so
 * blocks that are carved from a raw image decode without any header or footer. */
struct reed_block_info {
    uint8_t stripe_id[REED_STRIPE_ID_SIZE]; /* not all zero */
    uint64_t row;
    uint64_t row_data_size;  /* object bytes in this row: data_shards * block_size but in the last */
    uint32_t generator;
    uint32_t data_shards;
    uint32_t parity_shards;
    uint32_t shard_index;
    uint32_t block_size;
    uint32_t payload_size;   /* ceil(row_data_size / data_shards): 1 .. block_size */
    uint32_t is_last_row;    /* 0 or 1 */
};

/* Writes the 64-byte header of a record. `payload_crc32c` is the CRC32C of the payload alone (from
 * reed_crc32c or a fused pass); the stored checksum covers header and payload. The payload and
 * its zero padding to REED_BLOCK_ALIGNMENT are for the caller to write.
 * Errors: INVALID_PARAMETER when a field is out of its range (nothing is written). */
REED_API REED_MUST_CHECK enum reed_status
reed_block_header_write(const struct reed_block_info *info, uint32_t payload_crc32c,
                        uint8_t *bytes, struct reed_format_fault *fault);

/* Verifies one whole record (header, payload, zero padding to REED_BLOCK_ALIGNMENT) that begins at
 * `record` and says what it is. `size` is what may be read; `kernel` may be NULL.
 * On error *info is all zero.
 * Errors: NOT_A_SHARD (no block magic), TRUNCATED (`size` is less than the record's),
 * CORRUPT (also: a payload size that no record has, non-zero padding), UNSUPPORTED_FEATURE (a
 * flag, field or generator that this version does not know), MALFORMED. */
REED_API REED_MUST_CHECK enum reed_status
reed_block_parse(const struct reed_kernel *kernel, const uint8_t *record, size_t size,
                 struct reed_block_info *info, struct reed_format_fault *fault);

/* Where things lie in a shard file; all pure arithmetic on checked lengths. The record of row r
 * begins at REED_SHARD_HEADER_SIZE + r * full_record_size. */
struct reed_shard_layout {
    uint64_t row_count;
    uint64_t full_record_size; /* bytes of a record with block_size payload, padding included */
    uint64_t last_row_data_size; /* object bytes in the last row; 0 when there is no row */
    uint32_t last_payload_size;  /* ceil(last_row_data_size / data_shards) */
    uint64_t footer_offset;
    uint64_t file_size;
};

/* Errors: INVALID_PARAMETER (data_shards, block_size or object_size out of range); *layout is then
 * all zero. */
REED_API REED_MUST_CHECK enum reed_status
reed_shard_layout(uint32_t data_shards, uint32_t block_size, uint64_t object_size,
                  struct reed_shard_layout *layout);

/* ------------------------------------------------------------------------------------------
 * Fragments of liberasurecode (OpenStack Swift)
 *
 * A segment of an object is split into data_shards payloads of ceil(segment_size / data_shards)
 * bytes, padded with zeros. A fragment is an 80-byte header and one payload. The header has a
 * CRC-32 of its own; that of the payload is optional. It does not say which object, or how many
 * shards: see docs/swift.md for what can be detected.
 * ---------------------------------------------------------------------------------------- */

enum {
    REED_FRAGMENT_HEADER_SIZE = 80,
    REED_FRAGMENT_METADATA_SIZE = 59, /* the leading bytes that users see as metadata */
    /* What reed writes as the version of the library: the one whose headers these are. */
    REED_FRAGMENT_LIBRARY_VERSION = 0x010800
};

/* Checksum types in headers; others exist and are not computed by anyone. */
enum { REED_FRAGMENT_UNCHECKED = 1, REED_FRAGMENT_CRC32 = 2 };

/* Flag of reed_fragment_header_write: the header's CRC as liberasurecode computed it until 1.6
 * when it was built without zlib (the register is shifted with its sign). Readers accept both. */
enum { REED_FRAGMENT_LEGACY_CRC = 1 };

struct reed_fragment_info {
    uint64_t segment_size;    /* bytes of the user's in the segment; any value: check it */
    uint32_t shard_index;     /* any value: check it */
    uint32_t payload_size;    /* bytes behind the header */
    uint32_t backend_metadata_size; /* bytes behind the payload; 0 in all that reed writes */
    uint32_t payload_crc32;   /* with REED_FRAGMENT_CRC32 */
    uint32_t backend_version;
    uint32_t library_version;
    uint8_t checksum_type;    /* REED_FRAGMENT_UNCHECKED, REED_FRAGMENT_CRC32 or another */
    uint8_t backend_id;
    uint8_t is_swapped;       /* set by parse: written on a machine of the other byte order */
};

/* Writes the 80 bytes; always little-endian. */
REED_API void reed_fragment_header_write(const struct reed_fragment_info *info, uint32_t flags,
                                         uint8_t *bytes);

/* The headers of shards 0 .. count - 1 (at most REED_SHARDS_MAX), which share all but the index and
 * the checksum of the payload: what reed_fragment_header_write would write, faster.
 * `payload_crc32` is not read where common->checksum_type is REED_FRAGMENT_UNCHECKED. */
REED_API void reed_fragment_headers_write(const struct reed_fragment_info *common, uint32_t flags,
                                          const uint32_t *payload_crc32, size_t count,
                                          uint8_t *const *headers);

/* Parses `size` bytes that are one whole fragment, and verifies its header; of the payload only the
 * length. `kernel` may be NULL. On error *info is all zero.
 * Errors: NOT_A_SHARD (no magic), TRUNCATED, CORRUPT (the header's CRC), MALFORMED (more bytes than
 * the header says; a version of zero). */
REED_API REED_MUST_CHECK enum reed_status
reed_fragment_parse(const struct reed_kernel *kernel, const uint8_t *bytes, size_t size,
                    struct reed_fragment_info *info);

/* 1 when `crc`, the CRC-32 of the payload, is what the header says, or when the legacy CRC of the
 * payload is; else 0. `payload` is read in the second case only. */
REED_API REED_MUST_CHECK int reed_fragment_crc32_matches(const struct reed_fragment_info *info,
                                                         uint32_t crc, const uint8_t *payload);

/* One pass over payloads: copies sources, computes a plan's targets, and the CRC-32 of each.
 * The plan's sources come first; others behind them are copied and summed alone. `plan` may be NULL
 * (nothing to compute), as may `copies`, single entries of it, and either array of checksums.
 * Copies and targets do not overlap sources or each other. `scratch` as for reed_plan_apply. What is
 * not copied is summed and then read again for the product, so it may not change meanwhile.
 * Errors: INVALID_PARAMETER, before anything is written (source_count is less than the plan's or more
 * than REED_SHARDS_MAX; a plan that adds to its targets; targets or scratch missing). */
REED_API REED_MUST_CHECK enum reed_status
reed_fragments_apply(const struct reed_kernel *kernel, const struct reed_plan *plan,
                     const uint8_t *const *sources, size_t source_count, uint8_t *const *copies,
                     uint8_t *const *targets, size_t payload_size, uint32_t *source_crc32,
                     uint32_t *target_crc32, void *scratch);

#ifdef __cplusplus
}
#endif
#endif
