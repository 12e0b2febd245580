/* abi_0.c - the ABI of libreed.so.0 as it was released, as compile-time checks: it compiles against
 * every reed.h of major version 0 or that header has broken the promise at its top.
 *
 * Lines are added when something new is released, and never changed. Offsets and sizes are those of
 * 64-bit machines. The names in FUNCTION(...) are also what the shared library must export. */
#include <stddef.h>

#include "reed.h"

/* A pointer of exactly this type to the function, by which any other type fails to compile. */
#define FUNCTION(type, name, ...) extern type (*const abi_##name)(__VA_ARGS__); \
    type (*const abi_##name)(__VA_ARGS__) = name
#define ENUMERATOR(name, value) _Static_assert((name) == (value), #name " changed")
#if UINTPTR_MAX == UINT64_MAX
#define FIELD(type, field, offset, size)                                            \
    _Static_assert(offsetof(struct type, field) == (offset) &&                      \
                       sizeof(((struct type *)NULL)->field) == (size),              \
                   #type "." #field " moved or changed its size")
#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type " changed its size")
/* For structs that begin with struct_size. */
#define SIZE_MIN(type, size) _Static_assert(sizeof(struct type) >= (size), #type " shrank")
#else
#define FIELD(type, field, offset, size) \
    _Static_assert(sizeof(((struct type *)NULL)->field) > 0, "exists")
#define SIZE(type, size) _Static_assert(sizeof(struct type) > 0, "exists")
#define SIZE_MIN(type, size) SIZE(type, size)
#endif

/* ---- 0.1 ------------------------------------------------------------------------------------ */

FUNCTION(const char *, reed_version, void);
FUNCTION(const char *, reed_status_message, enum reed_status status);
FUNCTION(const struct reed_kernel *, reed_kernel_at, size_t position);
FUNCTION(const char *, reed_kernel_name, const struct reed_kernel *kernel);
FUNCTION(int, reed_kernel_is_supported, const struct reed_kernel *kernel);
FUNCTION(enum reed_status, reed_kernel_find, const char *name, const struct reed_kernel **kernel);
FUNCTION(uint32_t, reed_crc32c, uint32_t value, const void *data, size_t size);
FUNCTION(uint32_t, reed_kernel_crc32c, const struct reed_kernel *kernel, uint32_t value,
         const void *data, size_t size);
FUNCTION(uint32_t, reed_crc32, uint32_t value, const void *data, size_t size);
FUNCTION(uint32_t, reed_kernel_crc32, const struct reed_kernel *kernel, uint32_t value,
         const void *data, size_t size);
FUNCTION(uint32_t, reed_crc32c_combine, uint32_t crc_a, uint32_t crc_b, uint64_t size_b);
FUNCTION(const char *, reed_generator_name, enum reed_generator generator);
FUNCTION(enum reed_status, reed_generator_find, const char *name, enum reed_generator *generator);
FUNCTION(enum reed_status, reed_code_create, const struct reed_code_options *options,
         struct reed_code **code);
FUNCTION(void, reed_code_destroy, struct reed_code *code);
FUNCTION(uint32_t, reed_code_data_shards, const struct reed_code *code);
FUNCTION(uint32_t, reed_code_parity_shards, const struct reed_code *code);
FUNCTION(enum reed_generator, reed_code_generator, const struct reed_code *code);
FUNCTION(const struct reed_kernel *, reed_code_kernel, const struct reed_code *code);
FUNCTION(enum reed_status, reed_code_row, const struct reed_code *code, uint32_t shard_index,
         uint8_t *coefficients);
FUNCTION(uint32_t, reed_code_matrix_crc32c, const struct reed_code *code);
FUNCTION(enum reed_status, reed_plan_create_encode, const struct reed_code *code,
         struct reed_plan **plan);
FUNCTION(enum reed_status, reed_plan_create_reconstruct, const struct reed_code *code,
         const uint32_t *available, size_t available_count, const uint32_t *wanted,
         size_t wanted_count, struct reed_plan **plan);
FUNCTION(enum reed_status, reed_plan_create_update, const struct reed_code *code,
         uint32_t shard_index, const uint32_t *parity, size_t parity_count,
         struct reed_plan **plan);
FUNCTION(enum reed_status, reed_plan_create_matrix, const struct reed_kernel *kernel,
         const struct reed_allocator *allocator, const uint8_t *matrix, size_t target_count,
         size_t source_count, struct reed_plan **plan);
FUNCTION(void, reed_plan_destroy, struct reed_plan *plan);
FUNCTION(uint32_t, reed_plan_source_count, const struct reed_plan *plan);
FUNCTION(uint32_t, reed_plan_target_count, const struct reed_plan *plan);
FUNCTION(uint32_t, reed_plan_source, const struct reed_plan *plan, uint32_t position);
FUNCTION(uint32_t, reed_plan_target, const struct reed_plan *plan, uint32_t position);
FUNCTION(size_t, reed_plan_memory_size, const struct reed_plan *plan);
FUNCTION(size_t, reed_plan_apply_scratch_size, const struct reed_plan *plan);
FUNCTION(size_t, reed_plan_compare_scratch_size, const struct reed_plan *plan);
FUNCTION(enum reed_status, reed_plan_apply, const struct reed_plan *plan,
         const uint8_t *const *sources, uint8_t *const *targets, size_t begin, size_t end,
         void *scratch);
FUNCTION(enum reed_status, reed_plan_compare, const struct reed_plan *plan,
         const uint8_t *const *sources, const uint8_t *const *targets, size_t begin, size_t end,
         void *scratch, size_t *column);
FUNCTION(size_t, reed_plan_apply_crc32c_scratch_size, const struct reed_plan *plan);
FUNCTION(enum reed_status, reed_plan_apply_crc32c, const struct reed_plan *plan,
         const uint8_t *const *sources, uint8_t *const *targets, size_t begin, size_t end,
         size_t block_size, uint32_t *source_crc32c, uint32_t *target_crc32c,
         size_t checksum_stride, void *scratch);
FUNCTION(enum reed_status, reed_stripe_encode, const struct reed_code *code, uint8_t *const *shards,
         size_t shard_size);
FUNCTION(enum reed_status, reed_stripe_reconstruct, const struct reed_code *code,
         uint8_t *const *shards, const uint8_t *is_present, size_t shard_size);
FUNCTION(enum reed_status, reed_stripe_verify, const struct reed_code *code,
         const uint8_t *const *shards, size_t shard_size, size_t *column);
FUNCTION(enum reed_status, reed_locate, const struct reed_code *code, const uint32_t *indices,
         size_t given_count, const uint8_t *const *shards, size_t shard_size, uint32_t *wrong,
         size_t *wrong_count, size_t *column);
FUNCTION(enum reed_status, reed_shard_header_write, const struct reed_shard_info *info,
         uint8_t *bytes, struct reed_format_fault *fault);
FUNCTION(enum reed_status, reed_shard_footer_write, const struct reed_shard_info *info,
         uint8_t *bytes, struct reed_format_fault *fault);
FUNCTION(enum reed_status, reed_shard_header_parse, const uint8_t *bytes, size_t size,
         struct reed_shard_info *info, struct reed_format_fault *fault);
FUNCTION(enum reed_status, reed_shard_footer_parse, const uint8_t *bytes, size_t size,
         struct reed_shard_info *info, struct reed_format_fault *fault);
FUNCTION(enum reed_status, reed_block_header_write, const struct reed_block_info *info,
         uint32_t payload_crc32c, uint8_t *bytes, struct reed_format_fault *fault);
FUNCTION(enum reed_status, reed_block_parse, const struct reed_kernel *kernel,
         const uint8_t *record, size_t size, struct reed_block_info *info,
         struct reed_format_fault *fault);
FUNCTION(enum reed_status, reed_shard_layout, uint32_t data_shards, uint32_t block_size,
         uint64_t object_size, struct reed_shard_layout *layout);

ENUMERATOR(REED_OK, 0);
ENUMERATOR(REED_INVALID_PARAMETER, 1);
ENUMERATOR(REED_OUT_OF_MEMORY, 2);
ENUMERATOR(REED_TOO_FEW_SHARDS, 3);
ENUMERATOR(REED_NOT_MDS, 4);
ENUMERATOR(REED_SINGULAR, 5);
ENUMERATOR(REED_UNKNOWN_KERNEL, 6);
ENUMERATOR(REED_UNSUPPORTED_KERNEL, 7);
ENUMERATOR(REED_UNKNOWN_GENERATOR, 8);
ENUMERATOR(REED_MISMATCH, 9);
ENUMERATOR(REED_AMBIGUOUS, 10);
ENUMERATOR(REED_TOO_COMPLEX, 11);
ENUMERATOR(REED_NOT_A_SHARD, 20);
ENUMERATOR(REED_TRUNCATED, 21);
ENUMERATOR(REED_CORRUPT, 22);
ENUMERATOR(REED_MALFORMED, 23);
ENUMERATOR(REED_UNSUPPORTED_VERSION, 24);
ENUMERATOR(REED_UNSUPPORTED_FEATURE, 25);
ENUMERATOR(REED_GENERATOR_NATIVE, 1);
ENUMERATOR(REED_GENERATOR_REPLICATION, 2);
ENUMERATOR(REED_GENERATOR_ISAL_CAUCHY, 3);
ENUMERATOR(REED_GENERATOR_ISAL_VAND, 4);
ENUMERATOR(REED_GENERATOR_VAND_INV, 5);
ENUMERATOR(REED_GENERATOR_ZFEC, 6);
ENUMERATOR(REED_GENERATOR_KLAUSPOST, 7);
ENUMERATOR(REED_GENERATOR_EXPLICIT, 255);
ENUMERATOR(REED_SHARDS_MAX, 256);
ENUMERATOR(REED_ALLOW_NON_MDS, 1);
ENUMERATOR(REED_SHARD_HEADER_SIZE, 256);
ENUMERATOR(REED_SHARD_FOOTER_SIZE, 256);
ENUMERATOR(REED_BLOCK_HEADER_SIZE, 64);
ENUMERATOR(REED_BLOCK_ALIGNMENT, 64);
ENUMERATOR(REED_BLOCK_SIZE_MIN, 4096);
ENUMERATOR(REED_BLOCK_SIZE_MAX, 16777216);
ENUMERATOR(REED_BLOCK_SIZE_DEFAULT, 65536);
ENUMERATOR(REED_STRIPE_ID_SIZE, 16);
ENUMERATOR(REED_DIGEST_SIZE, 32);
ENUMERATOR(REED_FORMAT_MAJOR, 1);
ENUMERATOR(REED_FORMAT_MINOR, 0);
ENUMERATOR(REED_DIGEST_NONE, 0);
ENUMERATOR(REED_DIGEST_SHA256, 1);
ENUMERATOR(REED_DIGEST_BLAKE3, 2);
_Static_assert(REED_OBJECT_SIZE_MAX == UINT64_C(1) << 62, "REED_OBJECT_SIZE_MAX changed");

SIZE(reed_allocator, 24);
FIELD(reed_allocator, allocate, 0, 8);
FIELD(reed_allocator, release, 8, 8);
FIELD(reed_allocator, context, 16, 8);

SIZE_MIN(reed_code_options, 48);
FIELD(reed_code_options, struct_size, 0, 8);
FIELD(reed_code_options, generator, 8, 4);
FIELD(reed_code_options, data_shards, 12, 4);
FIELD(reed_code_options, parity_shards, 16, 4);
FIELD(reed_code_options, flags, 20, 4);
FIELD(reed_code_options, matrix, 24, 8);
FIELD(reed_code_options, kernel, 32, 8);
FIELD(reed_code_options, allocator, 40, 8);

SIZE(reed_format_fault, 32);
FIELD(reed_format_fault, field, 0, 8);
FIELD(reed_format_fault, value, 8, 8);
FIELD(reed_format_fault, minimum, 16, 8);
FIELD(reed_format_fault, maximum, 24, 8);

SIZE(reed_shard_info, 104);
FIELD(reed_shard_info, stripe_id, 0, 16);
FIELD(reed_shard_info, generator, 16, 4);
FIELD(reed_shard_info, matrix_crc32c, 20, 4);
FIELD(reed_shard_info, data_shards, 24, 4);
FIELD(reed_shard_info, parity_shards, 28, 4);
FIELD(reed_shard_info, shard_index, 32, 4);
FIELD(reed_shard_info, block_size, 36, 4);
FIELD(reed_shard_info, digest_type, 40, 4);
FIELD(reed_shard_info, compatible_flags, 44, 4);
FIELD(reed_shard_info, version_major, 48, 2);
FIELD(reed_shard_info, version_minor, 50, 2);
FIELD(reed_shard_info, object_size, 56, 8);
FIELD(reed_shard_info, row_count, 64, 8);
FIELD(reed_shard_info, digest, 72, 32);

SIZE(reed_block_info, 64);
FIELD(reed_block_info, stripe_id, 0, 16);
FIELD(reed_block_info, row, 16, 8);
FIELD(reed_block_info, row_data_size, 24, 8);
FIELD(reed_block_info, generator, 32, 4);
FIELD(reed_block_info, data_shards, 36, 4);
FIELD(reed_block_info, parity_shards, 40, 4);
FIELD(reed_block_info, shard_index, 44, 4);
FIELD(reed_block_info, block_size, 48, 4);
FIELD(reed_block_info, payload_size, 52, 4);
FIELD(reed_block_info, is_last_row, 56, 4);

SIZE(reed_shard_layout, 48);
FIELD(reed_shard_layout, row_count, 0, 8);
FIELD(reed_shard_layout, full_record_size, 8, 8);
FIELD(reed_shard_layout, last_row_data_size, 16, 8);
FIELD(reed_shard_layout, last_payload_size, 24, 4);
FIELD(reed_shard_layout, footer_offset, 32, 8);
FIELD(reed_shard_layout, file_size, 40, 8);

ENUMERATOR(REED_FRAGMENT_HEADER_SIZE, 80);
ENUMERATOR(REED_FRAGMENT_METADATA_SIZE, 59);
ENUMERATOR(REED_FRAGMENT_UNCHECKED, 1);
ENUMERATOR(REED_FRAGMENT_CRC32, 2);
ENUMERATOR(REED_FRAGMENT_LEGACY_CRC, 1);
FUNCTION(void, reed_fragment_header_write, const struct reed_fragment_info *info, uint32_t flags,
         uint8_t *bytes);
FUNCTION(void, reed_fragment_headers_write, const struct reed_fragment_info *common,
         uint32_t flags, const uint32_t *payload_crc32, size_t count, uint8_t *const *headers);
FUNCTION(enum reed_status, reed_fragment_parse, const struct reed_kernel *kernel,
         const uint8_t *bytes, size_t size, struct reed_fragment_info *info);
FUNCTION(int, reed_fragment_crc32_matches, const struct reed_fragment_info *info, uint32_t crc,
         const uint8_t *payload);
FUNCTION(enum reed_status, reed_fragments_apply, const struct reed_kernel *kernel,
         const struct reed_plan *plan, const uint8_t *const *sources, size_t source_count,
         uint8_t *const *copies, uint8_t *const *targets, size_t payload_size,
         uint32_t *source_crc32, uint32_t *target_crc32, void *scratch);

SIZE(reed_fragment_info, 40);
FIELD(reed_fragment_info, segment_size, 0, 8);
FIELD(reed_fragment_info, shard_index, 8, 4);
FIELD(reed_fragment_info, payload_size, 12, 4);
FIELD(reed_fragment_info, backend_metadata_size, 16, 4);
FIELD(reed_fragment_info, payload_crc32, 20, 4);
FIELD(reed_fragment_info, backend_version, 24, 4);
FIELD(reed_fragment_info, library_version, 28, 4);
FIELD(reed_fragment_info, checksum_type, 32, 1);
FIELD(reed_fragment_info, backend_id, 33, 1);
FIELD(reed_fragment_info, is_swapped, 34, 1);
