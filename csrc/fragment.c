/* fragment.c - fragments of liberasurecode, as OpenStack Swift stores them: their headers, and the
 * pass over memory that copies, multiplies and sums a segment while it is in cache. Any bytes are
 * safe to parse. The layout was learnt from files that liberasurecode 1.8 wrote. */
#include <string.h>

#include "bytes.h"
#include "checksum.h"
#include "kernels/crc32_constants.h"
#include "kernels/kernel.h"
#include "plan.h"
#include "reed.h"

/* Offsets in the header; the first 59 bytes are the metadata, which the header's CRC covers. */
enum {
    FRAGMENT_INDEX = 0,
    FRAGMENT_PAYLOAD_SIZE = 4,
    FRAGMENT_BACKEND_METADATA_SIZE = 8,
    FRAGMENT_SEGMENT_SIZE = 12,
    FRAGMENT_CHECKSUM_TYPE = 20,
    FRAGMENT_CHECKSUM = 21,
    FRAGMENT_BACKEND_ID = 54,
    FRAGMENT_BACKEND_VERSION = 55,
    FRAGMENT_MAGIC = 59,
    FRAGMENT_LIBRARY_VERSION = 63,
    FRAGMENT_METADATA_CRC = 67
};

#define FRAGMENT_MAGIC_NUMBER UINT32_C(0x0b0c5ecc)
/* The first version whose headers carry a checksum: 1.2.0. */
#define FRAGMENT_VERSION_CHECKED UINT32_C(0x010200)

/* Columns of one slice: about what a second-level cache of 1 MiB holds. Measured on a Zen 4: what
 * is read and written in long runs comes at nearly the rate of a copy; slices a sixth as large took
 * half as long again for 10 MiB, and as long for 1 MiB. */
enum { SLICE_BYTES = 786432, SLICE_COLUMNS_MIN = 2048, SLICE_COLUMNS_STEP = 64 };

static uint32_t swap_u32(uint32_t value)
{
    return value >> 24 | (value >> 8 & 0xff00) | (value << 8 & 0xff0000) | value << 24;
}

static uint32_t load_u32(const uint8_t *bytes, int is_swapped)
{
    uint32_t value = load_u32_le(bytes);
    return is_swapped ? swap_u32(value) : value;
}

static uint32_t metadata_crc(const struct reed_kernel *kernel, uint32_t flags,
                             const uint8_t *bytes)
{
    if (flags & REED_FRAGMENT_LEGACY_CRC) {
        return crc32_sign_extended(0, bytes, REED_FRAGMENT_METADATA_SIZE);
    }
    return kernel->crc32(0, bytes, REED_FRAGMENT_METADATA_SIZE);
}

void reed_fragment_header_write(const struct reed_fragment_info *info, uint32_t flags,
                                uint8_t *bytes)
{
    memset(bytes, 0, REED_FRAGMENT_HEADER_SIZE);
    store_u32_le(bytes + FRAGMENT_INDEX, info->shard_index);
    store_u32_le(bytes + FRAGMENT_PAYLOAD_SIZE, info->payload_size);
    store_u64_le(bytes + FRAGMENT_SEGMENT_SIZE, info->segment_size);
    bytes[FRAGMENT_CHECKSUM_TYPE] = info->checksum_type;
    if (info->checksum_type == REED_FRAGMENT_CRC32) {
        store_u32_le(bytes + FRAGMENT_CHECKSUM, info->payload_crc32);
    }
    bytes[FRAGMENT_BACKEND_ID] = info->backend_id;
    store_u32_le(bytes + FRAGMENT_BACKEND_VERSION, info->backend_version);
    store_u32_le(bytes + FRAGMENT_MAGIC, FRAGMENT_MAGIC_NUMBER);
    store_u32_le(bytes + FRAGMENT_LIBRARY_VERSION, info->library_version);
    store_u32_le(bytes + FRAGMENT_METADATA_CRC, metadata_crc(kernel_best(), flags, bytes));
}

void reed_fragment_headers_write(const struct reed_fragment_info *common, uint32_t flags,
                                 const uint32_t *payload_crc32, size_t count,
                                 uint8_t *const *headers)
{
    struct reed_fragment_info info = *common;
    uint8_t shared[REED_FRAGMENT_HEADER_SIZE];
    info.shard_index = 0;
    info.payload_crc32 = 0;
    reed_fragment_header_write(&info, flags, shared);
    const uint32_t shared_crc = load_u32_le(shared + FRAGMENT_METADATA_CRC);
    for (size_t i = 0; i < count; i++) {
        uint32_t crc = info.checksum_type == REED_FRAGMENT_CRC32 ? payload_crc32[i] : 0;
        memcpy(headers[i], shared, sizeof shared);
        store_u32_le(headers[i] + FRAGMENT_INDEX, (uint32_t)i);
        store_u32_le(headers[i] + FRAGMENT_CHECKSUM, crc);
        if (flags & REED_FRAGMENT_LEGACY_CRC) {
            store_u32_le(headers[i] + FRAGMENT_METADATA_CRC,
                         metadata_crc(kernel_best(), flags, headers[i]));
            continue;
        }
        /* A CRC is linear: what differs from the shared header adds its own part. */
        store_u32_le(headers[i] + FRAGMENT_METADATA_CRC,
                     shared_crc ^ crc32_fragment_slices[0][i & 255] ^
                         crc32_fragment_slices[1][crc & 255] ^
                         crc32_fragment_slices[2][crc >> 8 & 255] ^
                         crc32_fragment_slices[3][crc >> 16 & 255] ^
                         crc32_fragment_slices[4][crc >> 24]);
    }
}

/* Whether the header's own checksum holds; headers older than 1.2.0 have none. */
static int header_is_whole(const struct reed_kernel *kernel, const uint8_t *bytes,
                           int is_swapped, uint32_t library_version)
{
    uint32_t stored = load_u32(bytes + FRAGMENT_METADATA_CRC, is_swapped);
    return library_version < FRAGMENT_VERSION_CHECKED ||
           stored == metadata_crc(kernel, 0, bytes) ||
           stored == metadata_crc(kernel, REED_FRAGMENT_LEGACY_CRC, bytes);
}

enum reed_status reed_fragment_parse(const struct reed_kernel *kernel, const uint8_t *bytes,
                                     size_t size, struct reed_fragment_info *info)
{
    if (kernel == NULL) kernel = kernel_best();
    memset(info, 0, sizeof *info);
    if (size < REED_FRAGMENT_HEADER_SIZE) return REED_TRUNCATED;
    uint32_t magic = load_u32_le(bytes + FRAGMENT_MAGIC);
    int is_swapped = magic == swap_u32(FRAGMENT_MAGIC_NUMBER);
    if (magic != FRAGMENT_MAGIC_NUMBER && !is_swapped) return REED_NOT_A_SHARD;
    uint32_t library_version = load_u32(bytes + FRAGMENT_LIBRARY_VERSION, is_swapped);
    if (library_version == 0) return REED_MALFORMED;
    if (!header_is_whole(kernel, bytes, is_swapped, library_version)) return REED_CORRUPT;

    uint64_t low = load_u32(bytes + FRAGMENT_SEGMENT_SIZE + (is_swapped ? 4 : 0), is_swapped);
    uint64_t high = load_u32(bytes + FRAGMENT_SEGMENT_SIZE + (is_swapped ? 0 : 4), is_swapped);
    struct reed_fragment_info found = {
        .segment_size = high << 32 | low,
        .shard_index = load_u32(bytes + FRAGMENT_INDEX, is_swapped),
        .payload_size = load_u32(bytes + FRAGMENT_PAYLOAD_SIZE, is_swapped),
        .backend_metadata_size = load_u32(bytes + FRAGMENT_BACKEND_METADATA_SIZE, is_swapped),
        .payload_crc32 = load_u32(bytes + FRAGMENT_CHECKSUM, is_swapped),
        .backend_version = load_u32(bytes + FRAGMENT_BACKEND_VERSION, is_swapped),
        .library_version = library_version,
        .checksum_type = bytes[FRAGMENT_CHECKSUM_TYPE],
        .backend_id = bytes[FRAGMENT_BACKEND_ID],
        .is_swapped = (uint8_t)is_swapped,
    };
    uint64_t body_size = (uint64_t)found.payload_size + found.backend_metadata_size;
    if (body_size > size - REED_FRAGMENT_HEADER_SIZE) return REED_TRUNCATED;
    if (body_size < size - REED_FRAGMENT_HEADER_SIZE) return REED_MALFORMED;
    *info = found;
    return REED_OK;
}

int reed_fragment_crc32_matches(const struct reed_fragment_info *info, uint32_t crc,
                                const uint8_t *payload)
{
    return info->payload_crc32 == crc ||
           info->payload_crc32 == crc32_sign_extended(0, payload, info->payload_size);
}

/* What is summed is what was stored, though the source may change meanwhile. */
static uint32_t copy_and_sum(const struct reed_kernel *kernel, uint32_t crc, const uint8_t *source,
                             size_t size, uint8_t *copy)
{
    if (kernel->crc32_copy != NULL) return kernel->crc32_copy(crc, source, size, copy);
    memcpy(copy, source, size);
    return kernel->crc32(crc, copy, size);
}

enum reed_status reed_fragments_apply(const struct reed_kernel *kernel,
                                      const struct reed_plan *plan, const uint8_t *const *sources,
                                      size_t source_count, uint8_t *const *copies,
                                      uint8_t *const *targets, size_t payload_size,
                                      uint32_t *source_crc32, uint32_t *target_crc32,
                                      void *scratch)
{
    size_t target_count = plan != NULL ? reed_plan_target_count(plan) : 0;
    if (source_count > REED_SHARDS_MAX ||
        (plan != NULL && (reed_plan_source_count(plan) > source_count || plan->accumulates ||
                          (reed_plan_apply_scratch_size(plan) > 0 && scratch == NULL))) ||
        (targets == NULL && target_count > 0)) {
        return REED_INVALID_PARAMETER;
    }
    if (source_crc32 != NULL) memset(source_crc32, 0, source_count * sizeof *source_crc32);
    if (target_crc32 != NULL) memset(target_crc32, 0, target_count * sizeof *target_crc32);

    /* Likewise, what is multiplied is what was stored. */
    const uint8_t *rows[REED_SHARDS_MAX];
    for (size_t s = 0; s < source_count; s++) {
        rows[s] = copies != NULL && copies[s] != NULL ? copies[s] : sources[s];
    }
    size_t slice = SLICE_BYTES / (source_count + target_count + 1);
    slice = slice < SLICE_COLUMNS_MIN ? SLICE_COLUMNS_MIN
                                      : slice / SLICE_COLUMNS_STEP * SLICE_COLUMNS_STEP;
    for (size_t begin = 0, end; begin < payload_size; begin = end) {
        end = payload_size - begin > slice ? begin + slice : payload_size;
        size_t size = end - begin;
        for (size_t s = 0; s < source_count; s++) {
            bool is_copied = rows[s] != sources[s];
            if (is_copied && source_crc32 != NULL) {
                source_crc32[s] = copy_and_sum(kernel, source_crc32[s], sources[s] + begin, size,
                                               copies[s] + begin);
            } else if (is_copied) {
                memcpy(copies[s] + begin, sources[s] + begin, size);
            } else if (source_crc32 != NULL) {
                source_crc32[s] = kernel->crc32(source_crc32[s], sources[s] + begin, size);
            }
        }
        if (target_count == 0) continue;
        enum reed_status status = reed_plan_apply(plan, rows, targets, begin, end, scratch);
        if (status != REED_OK) return status;
        for (size_t t = 0; t < target_count && target_crc32 != NULL; t++) {
            target_crc32[t] = kernel->crc32(target_crc32[t], targets[t] + begin, size);
        }
    }
    return REED_OK;
}
