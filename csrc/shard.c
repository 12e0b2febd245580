/* shard.c - the structures of a shard file, FORMAT.md: parse and write. This is where bytes from
 * outside come in: nothing is believed before its checksum and its range have been verified, and
 * every length is checked before it is used. Parsing and writing share one set of range checks, so
 * what parses can be written and what is written parses. */
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "kernels/kernel.h"
#include "matrix.h"
#include "reed.h"
#include "size.h"

/* Offsets in a header and a footer; both end with the CRC32C of everything before it. */
enum {
    SHARD_MAGIC = 0,
    SHARD_VERSION_MAJOR = 8,
    SHARD_VERSION_MINOR = 10,
    SHARD_SIZE = 12,
    SHARD_COMPATIBLE_FLAGS = 16,
    SHARD_INCOMPATIBLE_FLAGS = 20,
    SHARD_STRIPE_ID = 24,
    SHARD_FIELD = 40,
    SHARD_GENERATOR = 44,
    SHARD_MATRIX_CRC32C = 48,
    SHARD_DATA_SHARDS = 52,
    SHARD_PARITY_SHARDS = 56,
    SHARD_INDEX = 60,
    SHARD_BLOCK_SIZE = 64,
    SHARD_CHECKSUM_TYPE = 68,
    SHARD_DIGEST_TYPE = 72,
    SHARD_HEADER_RESERVE = 76,
    /* In a footer only. */
    SHARD_FOOTER_GAP = 76,
    SHARD_OBJECT_SIZE = 80,
    SHARD_ROW_COUNT = 88,
    SHARD_DIGEST = 96,
    SHARD_FOOTER_RESERVE = 128,
    SHARD_CRC32C = 252
};

/* Offsets in a block header. */
enum {
    BLOCK_MAGIC = 0,
    BLOCK_STRIPE_ID = 8,
    BLOCK_ROW = 24,
    BLOCK_ROW_DATA_SIZE = 32,
    BLOCK_DATA_SHARDS = 40,
    BLOCK_PARITY_SHARDS = 44,
    BLOCK_SHARD_INDEX = 48,
    BLOCK_PAYLOAD_SIZE = 52,
    BLOCK_GENERATOR = 56,
    BLOCK_FIELD = 57,
    BLOCK_SIZE_LOG2 = 58,
    BLOCK_FLAGS = 59,
    BLOCK_CRC32C = 60
};

enum {
    MAGIC_SIZE = 8,
    FIELD_GF256 = 1,     /* GF(2^8), polynomial 0x11d */
    CHECKSUM_CRC32C = 1, /* the only one of version 1 */
    BLOCK_FLAG_LAST_ROW = 1,
    BLOCK_SIZE_LOG2_MIN = 12,
    BLOCK_SIZE_LOG2_MAX = 24
};

/* The first byte is not ASCII and the line ends break in text mode: a transfer that changes either
 * is seen at once. */
static const uint8_t header_magic[MAGIC_SIZE] = {0x89, 'R', 'S', 'H', '\r', '\n', 0x1a, '\n'};
static const uint8_t footer_magic[MAGIC_SIZE] = {0x89, 'R', 'S', 'F', '\r', '\n', 0x1a, '\n'};
static const uint8_t block_magic[MAGIC_SIZE] = {0x89, 'R', 'S', 'B', '\r', '\n', 0x1a, '\n'};

/* ---- refusing ---------------------------------------------------------------------------- */

static enum reed_status refuse(struct reed_format_fault *fault, enum reed_status status,
                               const char *field, uint64_t value, uint64_t minimum,
                               uint64_t maximum)
{
    *fault = (struct reed_format_fault){
        .field = field, .value = value, .minimum = minimum, .maximum = maximum};
    return status;
}

/* A closed range: outside it a field has no meaning in any version. */
static enum reed_status check_range(struct reed_format_fault *fault, const char *field,
                                    uint64_t value, uint64_t minimum, uint64_t maximum)
{
    if (value >= minimum && value <= maximum) return REED_OK;
    return refuse(fault, REED_MALFORMED, field, value, minimum, maximum);
}

/* An open list: another number may come to mean something. */
static enum reed_status check_known(struct reed_format_fault *fault, const char *field,
                                    uint64_t value, uint64_t minimum, uint64_t maximum)
{
    if (value >= minimum && value <= maximum) return REED_OK;
    return refuse(fault, REED_UNSUPPORTED_FEATURE, field, value, minimum, maximum);
}

static enum reed_status check_zero(struct reed_format_fault *fault, enum reed_status status,
                                   const char *field, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) return refuse(fault, status, field, bytes[i], 0, 0);
    }
    return REED_OK;
}

static enum reed_status check_crc32c(struct reed_format_fault *fault, uint32_t stored,
                                     uint32_t computed)
{
    if (stored == computed) return REED_OK;
    return refuse(fault, REED_CORRUPT, "crc32c", stored, computed, computed);
}

/* What a writer answers to whatever a check found wrong with its arguments. */
static enum reed_status refused_argument(enum reed_status status)
{
    return status == REED_OK ? REED_OK : REED_INVALID_PARAMETER;
}

/* The magic, as far as the bytes go, and then whether they go far enough. */
static enum reed_status check_magic(const uint8_t *bytes, size_t size, const uint8_t *magic,
                                    size_t needed)
{
    if (size == 0) return REED_TRUNCATED;
    if (memcmp(bytes, magic, size_min(size, MAGIC_SIZE)) != 0) return REED_NOT_A_SHARD;
    return size < needed ? REED_TRUNCATED : REED_OK;
}

/* ---- what headers, footers and blocks share ------------------------------------------------ */

struct geometry {
    const uint8_t *stripe_id;
    uint32_t generator;
    uint32_t data_shards;
    uint32_t parity_shards;
    uint32_t shard_index;
    uint32_t block_size;
};

/* The largest count that the generator allows, for the error message alone. */
static uint32_t data_shards_max(enum reed_generator generator)
{
    uint32_t count = REED_SHARDS_MAX;
    while (count > 1 && generator_check(generator, count, 0) != REED_OK) count--;
    return count;
}

static uint32_t parity_shards_max(enum reed_generator generator, uint32_t data_shards)
{
    uint32_t count = REED_SHARDS_MAX - data_shards;
    while (count > 0 && generator_check(generator, data_shards, count) != REED_OK) count--;
    return count;
}

static enum reed_status check_block_size(struct reed_format_fault *fault, uint32_t block_size)
{
    if (block_size >= REED_BLOCK_SIZE_MIN && block_size <= REED_BLOCK_SIZE_MAX &&
        (block_size & (block_size - 1)) == 0) {
        return REED_OK;
    }
    return refuse(fault, REED_MALFORMED, "block_size", block_size, REED_BLOCK_SIZE_MIN,
                  REED_BLOCK_SIZE_MAX);
}

static enum reed_status check_geometry(struct reed_format_fault *fault, const struct geometry *g)
{
    static const uint8_t no_id[REED_STRIPE_ID_SIZE];
    if (memcmp(g->stripe_id, no_id, sizeof no_id) == 0) {
        return refuse(fault, REED_MALFORMED, "stripe_id", 0, 1, UINT64_MAX);
    }
    enum reed_status status = check_known(fault, "generator", g->generator, REED_GENERATOR_NATIVE,
                                          REED_GENERATOR_KLAUSPOST);
    if (status != REED_OK) return status;
    enum reed_generator generator = (enum reed_generator)g->generator;
    if (generator_check(generator, g->data_shards, 0) != REED_OK) {
        return refuse(fault, REED_MALFORMED, "data_shards", g->data_shards, 1,
                      data_shards_max(generator));
    }
    if (generator_check(generator, g->data_shards, g->parity_shards) != REED_OK) {
        return refuse(fault, REED_MALFORMED, "parity_shards", g->parity_shards, 0,
                      parity_shards_max(generator, g->data_shards));
    }
    status = check_range(fault, "shard_index", g->shard_index, 0,
                         g->data_shards + g->parity_shards - 1);
    if (status != REED_OK) return status;
    return check_block_size(fault, g->block_size);
}

/* ---- headers and footers ----------------------------------------------------------------- */

static enum reed_status check_header(struct reed_format_fault *fault,
                                     const struct reed_shard_info *info)
{
    enum reed_status status =
        check_geometry(fault, &(struct geometry){.stripe_id = info->stripe_id,
                                                 .generator = info->generator,
                                                 .data_shards = info->data_shards,
                                                 .parity_shards = info->parity_shards,
                                                 .shard_index = info->shard_index,
                                                 .block_size = info->block_size});
    if (status != REED_OK) return status;
    return check_known(fault, "digest_type", info->digest_type, REED_DIGEST_NONE,
                       REED_DIGEST_BLAKE3);
}

/* After check_header: the layout needs its fields. */
static enum reed_status check_footer(struct reed_format_fault *fault,
                                     const struct reed_shard_info *info)
{
    enum reed_status status =
        check_range(fault, "object_size", info->object_size, 0, REED_OBJECT_SIZE_MAX);
    if (status != REED_OK) return status;
    struct reed_shard_layout layout;
    status = reed_shard_layout(info->data_shards, info->block_size, info->object_size, &layout);
    if (status != REED_OK) return status;
    status = check_range(fault, "row_count", info->row_count, layout.row_count, layout.row_count);
    if (status != REED_OK || info->digest_type != REED_DIGEST_NONE) return status;
    return check_zero(fault, REED_MALFORMED, "digest", info->digest, sizeof info->digest);
}

/* The fields that a header and a footer have in common. */
static void store_common(uint8_t *bytes, const uint8_t *magic, const struct reed_shard_info *info)
{
    memset(bytes, 0, REED_SHARD_HEADER_SIZE);
    memcpy(bytes + SHARD_MAGIC, magic, MAGIC_SIZE);
    store_u16_le(bytes + SHARD_VERSION_MAJOR, REED_FORMAT_MAJOR);
    store_u16_le(bytes + SHARD_VERSION_MINOR, REED_FORMAT_MINOR);
    store_u32_le(bytes + SHARD_SIZE, REED_SHARD_HEADER_SIZE);
    store_u32_le(bytes + SHARD_COMPATIBLE_FLAGS, info->compatible_flags);
    store_u32_le(bytes + SHARD_INCOMPATIBLE_FLAGS, 0);
    memcpy(bytes + SHARD_STRIPE_ID, info->stripe_id, REED_STRIPE_ID_SIZE);
    store_u32_le(bytes + SHARD_FIELD, FIELD_GF256);
    store_u32_le(bytes + SHARD_GENERATOR, info->generator);
    store_u32_le(bytes + SHARD_MATRIX_CRC32C, info->matrix_crc32c);
    store_u32_le(bytes + SHARD_DATA_SHARDS, info->data_shards);
    store_u32_le(bytes + SHARD_PARITY_SHARDS, info->parity_shards);
    store_u32_le(bytes + SHARD_INDEX, info->shard_index);
    store_u32_le(bytes + SHARD_BLOCK_SIZE, info->block_size);
    store_u32_le(bytes + SHARD_CHECKSUM_TYPE, CHECKSUM_CRC32C);
    store_u32_le(bytes + SHARD_DIGEST_TYPE, info->digest_type);
}

static void load_common(const uint8_t *bytes, struct reed_shard_info *info)
{
    info->version_major = load_u16_le(bytes + SHARD_VERSION_MAJOR);
    info->version_minor = load_u16_le(bytes + SHARD_VERSION_MINOR);
    info->compatible_flags = load_u32_le(bytes + SHARD_COMPATIBLE_FLAGS);
    memcpy(info->stripe_id, bytes + SHARD_STRIPE_ID, REED_STRIPE_ID_SIZE);
    info->generator = load_u32_le(bytes + SHARD_GENERATOR);
    info->matrix_crc32c = load_u32_le(bytes + SHARD_MATRIX_CRC32C);
    info->data_shards = load_u32_le(bytes + SHARD_DATA_SHARDS);
    info->parity_shards = load_u32_le(bytes + SHARD_PARITY_SHARDS);
    info->shard_index = load_u32_le(bytes + SHARD_INDEX);
    info->block_size = load_u32_le(bytes + SHARD_BLOCK_SIZE);
    info->digest_type = load_u32_le(bytes + SHARD_DIGEST_TYPE);
}

static void store_crc32c(uint8_t *bytes)
{
    store_u32_le(bytes + SHARD_CRC32C, reed_crc32c(0, bytes, SHARD_CRC32C));
}

/* Everything up to the fields of `info`: whether these are 256 whole bytes that this version can
 * read. The checksum stands at the same place in every version, so a damaged version number is
 * never taken for a newer version. */
static enum reed_status check_envelope(struct reed_format_fault *fault, const uint8_t *bytes,
                                       size_t size, const uint8_t *magic)
{
    enum reed_status status = check_magic(bytes, size, magic, REED_SHARD_HEADER_SIZE);
    if (status != REED_OK) return status;
    status = check_crc32c(fault, load_u32_le(bytes + SHARD_CRC32C),
                          reed_crc32c(0, bytes, SHARD_CRC32C));
    if (status != REED_OK) return status;
    uint16_t version_major = load_u16_le(bytes + SHARD_VERSION_MAJOR);
    if (version_major > REED_FORMAT_MAJOR) {
        return refuse(fault, REED_UNSUPPORTED_VERSION, "version_major", version_major,
                      REED_FORMAT_MAJOR, REED_FORMAT_MAJOR);
    }
    status = check_range(fault, "version_major", version_major, REED_FORMAT_MAJOR,
                         REED_FORMAT_MAJOR);
    if (status != REED_OK) return status;
    status = check_range(fault, "size", load_u32_le(bytes + SHARD_SIZE), REED_SHARD_HEADER_SIZE,
                         REED_SHARD_HEADER_SIZE);
    if (status != REED_OK) return status;
    status = check_known(fault, "incompatible_flags",
                         load_u32_le(bytes + SHARD_INCOMPATIBLE_FLAGS), 0, 0);
    if (status != REED_OK) return status;
    status = check_known(fault, "field", load_u32_le(bytes + SHARD_FIELD), FIELD_GF256,
                         FIELD_GF256);
    if (status != REED_OK) return status;
    return check_known(fault, "checksum_type", load_u32_le(bytes + SHARD_CHECKSUM_TYPE),
                       CHECKSUM_CRC32C, CHECKSUM_CRC32C);
}

static enum reed_status header_parse(const uint8_t *bytes, size_t size,
                                     struct reed_shard_info *info,
                                     struct reed_format_fault *fault)
{
    enum reed_status status = check_envelope(fault, bytes, size, header_magic);
    if (status != REED_OK) return status;
    load_common(bytes, info);
    status = check_header(fault, info);
    if (status != REED_OK) return status;
    return check_zero(fault, REED_MALFORMED, "reserve", bytes + SHARD_HEADER_RESERVE,
                      SHARD_CRC32C - SHARD_HEADER_RESERVE);
}

static enum reed_status footer_parse(const uint8_t *bytes, size_t size,
                                     struct reed_shard_info *info,
                                     struct reed_format_fault *fault)
{
    enum reed_status status = check_envelope(fault, bytes, size, footer_magic);
    if (status != REED_OK) return status;
    load_common(bytes, info);
    info->object_size = load_u64_le(bytes + SHARD_OBJECT_SIZE);
    info->row_count = load_u64_le(bytes + SHARD_ROW_COUNT);
    memcpy(info->digest, bytes + SHARD_DIGEST, REED_DIGEST_SIZE);
    status = check_header(fault, info);
    if (status != REED_OK) return status;
    status = check_footer(fault, info);
    if (status != REED_OK) return status;
    status = check_zero(fault, REED_MALFORMED, "reserve", bytes + SHARD_FOOTER_GAP,
                        SHARD_OBJECT_SIZE - SHARD_FOOTER_GAP);
    if (status != REED_OK) return status;
    return check_zero(fault, REED_MALFORMED, "reserve", bytes + SHARD_FOOTER_RESERVE,
                      SHARD_CRC32C - SHARD_FOOTER_RESERVE);
}

/* The outputs of a public function: a fault to fill, even when the caller wants none. */
static struct reed_format_fault *fault_begin(struct reed_format_fault *fault,
                                             struct reed_format_fault *unwanted)
{
    if (fault == NULL) fault = unwanted;
    *fault = (struct reed_format_fault){0};
    return fault;
}

enum reed_status reed_shard_header_write(const struct reed_shard_info *info, uint8_t *bytes,
                                         struct reed_format_fault *fault)
{
    struct reed_format_fault unwanted;
    enum reed_status status = check_header(fault_begin(fault, &unwanted), info);
    if (status != REED_OK) return refused_argument(status);
    store_common(bytes, header_magic, info);
    store_crc32c(bytes);
    return REED_OK;
}

enum reed_status reed_shard_footer_write(const struct reed_shard_info *info, uint8_t *bytes,
                                         struct reed_format_fault *fault)
{
    struct reed_format_fault unwanted;
    fault = fault_begin(fault, &unwanted);
    enum reed_status status = check_header(fault, info);
    if (status == REED_OK) status = check_footer(fault, info);
    if (status != REED_OK) return refused_argument(status);
    store_common(bytes, footer_magic, info);
    store_u64_le(bytes + SHARD_OBJECT_SIZE, info->object_size);
    store_u64_le(bytes + SHARD_ROW_COUNT, info->row_count);
    memcpy(bytes + SHARD_DIGEST, info->digest, REED_DIGEST_SIZE);
    store_crc32c(bytes);
    return REED_OK;
}

enum reed_status reed_shard_header_parse(const uint8_t *bytes, size_t size,
                                         struct reed_shard_info *info,
                                         struct reed_format_fault *fault)
{
    struct reed_format_fault unwanted;
    *info = (struct reed_shard_info){0};
    enum reed_status status = header_parse(bytes, size, info, fault_begin(fault, &unwanted));
    if (status != REED_OK) *info = (struct reed_shard_info){0};
    return status;
}

enum reed_status reed_shard_footer_parse(const uint8_t *bytes, size_t size,
                                         struct reed_shard_info *info,
                                         struct reed_format_fault *fault)
{
    struct reed_format_fault unwanted;
    *info = (struct reed_shard_info){0};
    enum reed_status status = footer_parse(bytes, size, info, fault_begin(fault, &unwanted));
    if (status != REED_OK) *info = (struct reed_shard_info){0};
    return status;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static enum reed_status check_block(struct reed_format_fault *fault,
                                    const struct reed_block_info *info)
{
    enum reed_status status =
        check_geometry(fault, &(struct geometry){.stripe_id = info->stripe_id,
                                                 .generator = info->generator,
                                                 .data_shards = info->data_shards,
                                                 .parity_shards = info->parity_shards,
                                                 .shard_index = info->shard_index,
                                                 .block_size = info->block_size});
    if (status != REED_OK) return status;
    status = check_range(fault, "is_last_row", info->is_last_row, 0, 1);
    if (status != REED_OK) return status;
    /* At most 2^8 * 2^24. Only the last row may hold less. */
    uint64_t full_row_size = (uint64_t)info->data_shards * info->block_size;
    status = check_range(fault, "row_data_size", info->row_data_size,
                         info->is_last_row ? 1 : full_row_size, full_row_size);
    if (status != REED_OK) return status;
    uint64_t payload_size = (info->row_data_size - 1) / info->data_shards + 1;
    status = check_range(fault, "payload_size", info->payload_size, payload_size, payload_size);
    if (status != REED_OK) return status;
    return check_range(fault, "row", info->row, 0,
                       (REED_OBJECT_SIZE_MAX - info->row_data_size) / full_row_size);
}

static enum reed_status block_parse(const struct reed_kernel *kernel, const uint8_t *record,
                                    size_t size, struct reed_block_info *info,
                                    struct reed_format_fault *fault)
{
    enum reed_status status = check_magic(record, size, block_magic, REED_BLOCK_HEADER_SIZE);
    if (status != REED_OK) return status;
    /* The one field that is used before the checksum proves it: it says what the checksum covers.
     * No record has a size out of range, so no checksum could match. */
    size_t payload_size = load_u32_le(record + BLOCK_PAYLOAD_SIZE);
    if (payload_size < 1 || payload_size > REED_BLOCK_SIZE_MAX) {
        return refuse(fault, REED_CORRUPT, "payload_size", payload_size, 1, REED_BLOCK_SIZE_MAX);
    }
    uint64_t record_size;
    if (!u64_round_up(REED_BLOCK_HEADER_SIZE + payload_size, REED_BLOCK_ALIGNMENT, &record_size) ||
        record_size > size) {
        return REED_TRUNCATED;
    }
    const uint8_t *payload = record + REED_BLOCK_HEADER_SIZE;
    uint32_t crc = reed_kernel_crc32c(kernel, 0, record, BLOCK_CRC32C);
    crc = reed_kernel_crc32c(kernel, crc, payload, payload_size);
    status = check_crc32c(fault, load_u32_le(record + BLOCK_CRC32C), crc);
    if (status != REED_OK) return status;
    status = check_zero(fault, REED_CORRUPT, "padding", payload + payload_size,
                        (size_t)record_size - REED_BLOCK_HEADER_SIZE - payload_size);
    if (status != REED_OK) return status;

    uint8_t flags = record[BLOCK_FLAGS];
    status = check_known(fault, "flags", flags, 0, BLOCK_FLAG_LAST_ROW);
    if (status != REED_OK) return status;
    status = check_known(fault, "field", record[BLOCK_FIELD], FIELD_GF256, FIELD_GF256);
    if (status != REED_OK) return status;
    status = check_range(fault, "block_size_log2", record[BLOCK_SIZE_LOG2], BLOCK_SIZE_LOG2_MIN,
                         BLOCK_SIZE_LOG2_MAX);
    if (status != REED_OK) return status;
    memcpy(info->stripe_id, record + BLOCK_STRIPE_ID, REED_STRIPE_ID_SIZE);
    info->row = load_u64_le(record + BLOCK_ROW);
    info->row_data_size = load_u64_le(record + BLOCK_ROW_DATA_SIZE);
    info->generator = record[BLOCK_GENERATOR];
    info->data_shards = load_u32_le(record + BLOCK_DATA_SHARDS);
    info->parity_shards = load_u32_le(record + BLOCK_PARITY_SHARDS);
    info->shard_index = load_u32_le(record + BLOCK_SHARD_INDEX);
    info->block_size = UINT32_C(1) << record[BLOCK_SIZE_LOG2];
    info->payload_size = (uint32_t)payload_size;
    info->is_last_row = flags & BLOCK_FLAG_LAST_ROW;
    return check_block(fault, info);
}

enum reed_status reed_block_header_write(const struct reed_block_info *info,
                                         uint32_t payload_crc32c, uint8_t *bytes,
                                         struct reed_format_fault *fault)
{
    struct reed_format_fault unwanted;
    enum reed_status status = check_block(fault_begin(fault, &unwanted), info);
    if (status != REED_OK) return refused_argument(status);
    uint8_t block_size_log2 = BLOCK_SIZE_LOG2_MIN;
    while (UINT32_C(1) << block_size_log2 < info->block_size) block_size_log2++;

    memcpy(bytes + BLOCK_MAGIC, block_magic, MAGIC_SIZE);
    memcpy(bytes + BLOCK_STRIPE_ID, info->stripe_id, REED_STRIPE_ID_SIZE);
    store_u64_le(bytes + BLOCK_ROW, info->row);
    store_u64_le(bytes + BLOCK_ROW_DATA_SIZE, info->row_data_size);
    store_u32_le(bytes + BLOCK_DATA_SHARDS, info->data_shards);
    store_u32_le(bytes + BLOCK_PARITY_SHARDS, info->parity_shards);
    store_u32_le(bytes + BLOCK_SHARD_INDEX, info->shard_index);
    store_u32_le(bytes + BLOCK_PAYLOAD_SIZE, info->payload_size);
    bytes[BLOCK_GENERATOR] = (uint8_t)info->generator;
    bytes[BLOCK_FIELD] = FIELD_GF256;
    bytes[BLOCK_SIZE_LOG2] = block_size_log2;
    bytes[BLOCK_FLAGS] = info->is_last_row ? BLOCK_FLAG_LAST_ROW : 0;
    uint32_t identity_crc32c = reed_crc32c(0, bytes, BLOCK_CRC32C);
    store_u32_le(bytes + BLOCK_CRC32C,
                 reed_crc32c_combine(identity_crc32c, payload_crc32c, info->payload_size));
    return REED_OK;
}

enum reed_status reed_block_parse(const struct reed_kernel *kernel, const uint8_t *record,
                                  size_t size, struct reed_block_info *info,
                                  struct reed_format_fault *fault)
{
    struct reed_format_fault unwanted;
    *info = (struct reed_block_info){0};
    if (kernel == NULL) kernel = kernel_best();
    enum reed_status status = block_parse(kernel, record, size, info,
                                          fault_begin(fault, &unwanted));
    if (status != REED_OK) *info = (struct reed_block_info){0};
    return status;
}

/* ---- layout ------------------------------------------------------------------------------ */

enum reed_status reed_shard_layout(uint32_t data_shards, uint32_t block_size, uint64_t object_size,
                                   struct reed_shard_layout *layout)
{
    *layout = (struct reed_shard_layout){0};
    struct reed_format_fault unwanted;
    if (data_shards < 1 || data_shards > REED_SHARDS_MAX || object_size > REED_OBJECT_SIZE_MAX ||
        check_block_size(&unwanted, block_size) != REED_OK) {
        return REED_INVALID_PARAMETER;
    }
    uint64_t row_size = (uint64_t)data_shards * block_size;
    uint64_t full_record_size = REED_BLOCK_HEADER_SIZE + (uint64_t)block_size;
    uint64_t row_count = object_size / row_size + (object_size % row_size != 0);
    uint64_t last_row_data_size = row_count == 0 ? 0 : object_size - (row_count - 1) * row_size;
    uint64_t last_payload_size = last_row_data_size / data_shards +
                                 (last_row_data_size % data_shards != 0);
    /* An object of at most 2^62 bytes makes a file of at most 2^62 (1 + 64 / 4096) + 512: these
     * checks cannot fail, and the arithmetic stays checked if a limit ever moves. */
    uint64_t last_record_size = 0, full_records_size, footer_offset, file_size;
    if ((row_count > 0 && !u64_round_up(REED_BLOCK_HEADER_SIZE + last_payload_size,
                                        REED_BLOCK_ALIGNMENT, &last_record_size)) ||
        !u64_multiply(row_count == 0 ? 0 : row_count - 1, full_record_size, &full_records_size) ||
        !u64_add(full_records_size, REED_SHARD_HEADER_SIZE + last_record_size, &footer_offset) ||
        !u64_add(footer_offset, REED_SHARD_FOOTER_SIZE, &file_size)) {
        return REED_INVALID_PARAMETER;
    }
    *layout = (struct reed_shard_layout){.row_count = row_count,
                                         .full_record_size = full_record_size,
                                         .last_row_data_size = last_row_data_size,
                                         .last_payload_size = (uint32_t)last_payload_size,
                                         .footer_offset = footer_offset,
                                         .file_size = file_size};
    return REED_OK;
}
