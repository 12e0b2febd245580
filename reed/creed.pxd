# creed.pxd - csrc/include/reed.h as Cython sees it; the header is the manual.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "reed.h" nogil:
    cdef enum reed_status:
        REED_OK
        REED_INVALID_PARAMETER
        REED_OUT_OF_MEMORY
        REED_TOO_FEW_SHARDS
        REED_NOT_MDS
        REED_SINGULAR
        REED_UNKNOWN_KERNEL
        REED_UNSUPPORTED_KERNEL
        REED_UNKNOWN_GENERATOR
        REED_MISMATCH
        REED_AMBIGUOUS
        REED_TOO_COMPLEX
        REED_NOT_A_SHARD
        REED_TRUNCATED
        REED_CORRUPT
        REED_MALFORMED
        REED_UNSUPPORTED_VERSION
        REED_UNSUPPORTED_FEATURE

    const char *reed_version()
    const char *reed_status_message(reed_status status)

    cdef struct reed_allocator:
        pass

    cdef struct reed_kernel:
        pass
    const reed_kernel *reed_kernel_at(size_t position)
    const char *reed_kernel_name(const reed_kernel *kernel)
    int reed_kernel_is_supported(const reed_kernel *kernel)
    reed_status reed_kernel_find(const char *name, const reed_kernel **kernel)

    uint32_t reed_kernel_crc32c(const reed_kernel *kernel, uint32_t value, const void *data,
                                size_t size)
    uint32_t reed_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b)
    uint32_t reed_kernel_crc32(const reed_kernel *kernel, uint32_t value, const void *data,
                               size_t size)

    cdef enum reed_generator:
        REED_GENERATOR_REPLICATION
        REED_GENERATOR_EXPLICIT
    const char *reed_generator_name(reed_generator generator)
    reed_status reed_generator_find(const char *name, reed_generator *generator)

    cdef enum:
        REED_SHARDS_MAX
        REED_ALLOW_NON_MDS

    cdef struct reed_code_options:
        size_t struct_size
        reed_generator generator
        uint32_t data_shards
        uint32_t parity_shards
        uint32_t flags
        const uint8_t *matrix
        const reed_kernel *kernel
        const reed_allocator *allocator

    cdef struct reed_code:
        pass
    reed_status reed_code_create(const reed_code_options *options, reed_code **code)
    void reed_code_destroy(reed_code *code)
    reed_status reed_code_row(const reed_code *code, uint32_t shard_index, uint8_t *coefficients)
    const reed_kernel *reed_code_kernel(const reed_code *code)
    uint32_t reed_code_matrix_crc32c(const reed_code *code)

    cdef struct reed_plan:
        pass
    reed_status reed_plan_create_encode(const reed_code *code, reed_plan **plan)
    reed_status reed_plan_create_reconstruct(
        const reed_code *code, const uint32_t *available, size_t available_count,
        const uint32_t *wanted, size_t wanted_count, reed_plan **plan)
    reed_status reed_plan_create_update(
        const reed_code *code, uint32_t shard_index, const uint32_t *parity, size_t parity_count,
        reed_plan **plan)
    void reed_plan_destroy(reed_plan *plan)
    uint32_t reed_plan_source_count(const reed_plan *plan)
    uint32_t reed_plan_target_count(const reed_plan *plan)
    uint32_t reed_plan_source(const reed_plan *plan, uint32_t position)
    uint32_t reed_plan_target(const reed_plan *plan, uint32_t position)
    size_t reed_plan_memory_size(const reed_plan *plan)
    size_t reed_plan_apply_scratch_size(const reed_plan *plan)
    size_t reed_plan_compare_scratch_size(const reed_plan *plan)
    reed_status reed_plan_apply(
        const reed_plan *plan, const uint8_t *const *sources, uint8_t *const *targets,
        size_t begin, size_t end, void *scratch)
    reed_status reed_plan_compare(
        const reed_plan *plan, const uint8_t *const *sources, const uint8_t *const *targets,
        size_t begin, size_t end, void *scratch, size_t *column)

    size_t reed_plan_apply_crc32c_scratch_size(const reed_plan *plan)
    reed_status reed_plan_apply_crc32c(
        const reed_plan *plan, const uint8_t *const *sources, uint8_t *const *targets,
        size_t begin, size_t end, size_t block_size, uint32_t *source_crc32c,
        uint32_t *target_crc32c, size_t checksum_stride, void *scratch)

    reed_status reed_locate(
        const reed_code *code, const uint32_t *indices, size_t given_count,
        const uint8_t *const *shards, size_t shard_size, uint32_t *wrong, size_t *wrong_count,
        size_t *column)

    # The shard format
    cdef enum:
        REED_SHARD_HEADER_SIZE
        REED_SHARD_FOOTER_SIZE
        REED_BLOCK_HEADER_SIZE
        REED_BLOCK_ALIGNMENT
        REED_BLOCK_SIZE_MIN
        REED_BLOCK_SIZE_MAX
        REED_BLOCK_SIZE_DEFAULT
        REED_STRIPE_ID_SIZE
        REED_DIGEST_SIZE
        REED_FORMAT_MAJOR
        REED_FORMAT_MINOR

    cdef struct reed_format_fault:
        const char *field
        uint64_t value
        uint64_t minimum
        uint64_t maximum

    cdef struct reed_shard_info:
        uint8_t stripe_id[16]
        uint32_t generator
        uint32_t matrix_crc32c
        uint32_t data_shards
        uint32_t parity_shards
        uint32_t shard_index
        uint32_t block_size
        uint32_t digest_type
        uint32_t compatible_flags
        uint16_t version_major
        uint16_t version_minor
        uint64_t object_size
        uint64_t row_count
        uint8_t digest[32]

    reed_status reed_shard_header_write(const reed_shard_info *info, uint8_t *data,
                                        reed_format_fault *fault)
    reed_status reed_shard_footer_write(const reed_shard_info *info, uint8_t *data,
                                        reed_format_fault *fault)
    reed_status reed_shard_header_parse(const uint8_t *data, size_t size, reed_shard_info *info,
                                        reed_format_fault *fault)
    reed_status reed_shard_footer_parse(const uint8_t *data, size_t size, reed_shard_info *info,
                                        reed_format_fault *fault)

    cdef struct reed_block_info:
        uint8_t stripe_id[16]
        uint64_t row
        uint64_t row_data_size
        uint32_t generator
        uint32_t data_shards
        uint32_t parity_shards
        uint32_t shard_index
        uint32_t block_size
        uint32_t payload_size
        uint32_t is_last_row

    reed_status reed_block_header_write(const reed_block_info *info, uint32_t payload_crc32c,
                                        uint8_t *data, reed_format_fault *fault)
    reed_status reed_block_parse(const reed_kernel *kernel, const uint8_t *record, size_t size,
                                 reed_block_info *info, reed_format_fault *fault)

    ctypedef struct reed_shard_layout_t "struct reed_shard_layout":
        uint64_t row_count
        uint64_t full_record_size
        uint64_t last_row_data_size
        uint32_t last_payload_size
        uint64_t footer_offset
        uint64_t file_size

    reed_status reed_shard_layout(uint32_t data_shards, uint32_t block_size, uint64_t object_size,
                                  reed_shard_layout_t *layout)

    # Fragments of liberasurecode
    cdef enum:
        REED_FRAGMENT_HEADER_SIZE
        REED_FRAGMENT_METADATA_SIZE
        REED_FRAGMENT_LIBRARY_VERSION
        REED_FRAGMENT_UNCHECKED
        REED_FRAGMENT_CRC32
        REED_FRAGMENT_LEGACY_CRC

    cdef struct reed_fragment_info:
        uint64_t segment_size
        uint32_t shard_index
        uint32_t payload_size
        uint32_t backend_metadata_size
        uint32_t payload_crc32
        uint32_t backend_version
        uint32_t library_version
        uint8_t checksum_type
        uint8_t backend_id
        uint8_t is_swapped

    void reed_fragment_header_write(const reed_fragment_info *info, uint32_t flags, uint8_t *data)
    void reed_fragment_headers_write(const reed_fragment_info *common, uint32_t flags,
                                     const uint32_t *payload_crc32, size_t count,
                                     uint8_t *const *headers)
    reed_status reed_fragment_parse(const reed_kernel *kernel, const uint8_t *data, size_t size,
                                    reed_fragment_info *info)
    int reed_fragment_crc32_matches(const reed_fragment_info *info, uint32_t crc,
                                    const uint8_t *payload)
    reed_status reed_fragments_apply(
        const reed_kernel *kernel, const reed_plan *plan, const uint8_t *const *sources,
        size_t source_count, uint8_t *const *copies, uint8_t *const *targets, size_t payload_size,
        uint32_t *source_crc32, uint32_t *target_crc32, void *scratch)
