/* test_shard.c - headers, footers, blocks and the layout: what is written parses; every field is
 * refused outside its range, at writing and at parsing; no bit of a structure can change unseen; no
 * byte outside the given ones is read. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "bytes.h"
#include "check.h"
#include "reed.h"

static const uint64_t seed = 20240301;

static struct reed_shard_info sample_footer(void)
{
    struct reed_shard_info info = {
        .generator = REED_GENERATOR_NATIVE,
        .matrix_crc32c = 0x12345678,
        .data_shards = 10,
        .parity_shards = 4,
        .shard_index = 13,
        .block_size = 4096,
        .digest_type = REED_DIGEST_SHA256,
        .object_size = 50000,
        .row_count = 2,
    };
    for (uint8_t i = 0; i < REED_STRIPE_ID_SIZE; i++) info.stripe_id[i] = (uint8_t)(0x10 + i);
    for (uint8_t i = 0; i < REED_DIGEST_SIZE; i++) info.digest[i] = (uint8_t)(0xa0 + i);
    return info;
}

static struct reed_block_info sample_block(void)
{
    struct reed_block_info info = {
        .row = 1,
        .row_data_size = 9040,
        .generator = REED_GENERATOR_NATIVE,
        .data_shards = 10,
        .parity_shards = 4,
        .shard_index = 13,
        .block_size = 4096,
        .payload_size = 904,
        .is_last_row = 1,
    };
    for (uint8_t i = 0; i < REED_STRIPE_ID_SIZE; i++) info.stripe_id[i] = (uint8_t)(0x10 + i);
    return info;
}

/* The two structures of 256 bytes. */
struct kind {
    const char *name;
    enum reed_status (*write)(const struct reed_shard_info *, uint8_t *,
                              struct reed_format_fault *);
    enum reed_status (*parse)(const uint8_t *, size_t, struct reed_shard_info *,
                              struct reed_format_fault *);
};
static const struct kind kinds[2] = {
    {"header", reed_shard_header_write, reed_shard_header_parse},
    {"footer", reed_shard_footer_write, reed_shard_footer_parse},
};

static bool is_zero(const void *memory, size_t size)
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) return false;
    }
    return true;
}

/* By field: the padding between them has no meaning. */
static bool shard_equal(const struct reed_shard_info *a, const struct reed_shard_info *b)
{
    return memcmp(a->stripe_id, b->stripe_id, sizeof a->stripe_id) == 0 &&
           a->generator == b->generator && a->matrix_crc32c == b->matrix_crc32c &&
           a->data_shards == b->data_shards && a->parity_shards == b->parity_shards &&
           a->shard_index == b->shard_index && a->block_size == b->block_size &&
           a->digest_type == b->digest_type && a->compatible_flags == b->compatible_flags &&
           a->version_major == b->version_major && a->version_minor == b->version_minor &&
           a->object_size == b->object_size && a->row_count == b->row_count &&
           memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static bool block_equal(const struct reed_block_info *a, const struct reed_block_info *b)
{
    return memcmp(a->stripe_id, b->stripe_id, sizeof a->stripe_id) == 0 && a->row == b->row &&
           a->row_data_size == b->row_data_size && a->generator == b->generator &&
           a->data_shards == b->data_shards && a->parity_shards == b->parity_shards &&
           a->shard_index == b->shard_index && a->block_size == b->block_size &&
           a->payload_size == b->payload_size && a->is_last_row == b->is_last_row;
}

static const struct reed_shard_info no_shard;
static const struct reed_block_info no_block;

/* The record of a block with a payload of i * 31. */
static size_t write_record(const struct reed_block_info *info, uint8_t *record)
{
    uint8_t *payload = record + REED_BLOCK_HEADER_SIZE;
    for (size_t i = 0; i < info->payload_size; i++) payload[i] = (uint8_t)(i * 31);
    uint32_t crc = reed_crc32c(0, payload, info->payload_size);
    CHECK(reed_block_header_write(info, crc, record, NULL) == REED_OK, "write");
    size_t size = REED_BLOCK_HEADER_SIZE + info->payload_size;
    while (size % REED_BLOCK_ALIGNMENT != 0) record[size++] = 0;
    return size;
}

/* ---- agreement of writing and parsing ---------------------------------------------------- */

static void test_shard_round_trip(void)
{
    uint64_t random = seed;
    for (int trial = 0; trial < 20000; trial++) {
        struct reed_shard_info info = {0};
        info.data_shards = 1 + (uint32_t)random_below(&random, 255);
        info.parity_shards = (uint32_t)random_below(&random, 256 - info.data_shards);
        info.generator = (uint32_t)(random_below(&random, 2) ? REED_GENERATOR_NATIVE
                                                             : REED_GENERATOR_KLAUSPOST);
        if (trial % 5 == 0) {
            info.generator = REED_GENERATOR_REPLICATION;
            info.data_shards = 1;
        }
        info.shard_index =
            (uint32_t)random_below(&random, info.data_shards + info.parity_shards);
        info.block_size = UINT32_C(1) << (12 + random_below(&random, 13));
        info.digest_type = (uint32_t)random_below(&random, 3);
        info.compatible_flags = (uint32_t)random_u64(&random);
        info.matrix_crc32c = (uint32_t)random_u64(&random);
        random_bytes(&random, info.stripe_id, sizeof info.stripe_id);
        info.version_major = REED_FORMAT_MAJOR;
        info.version_minor = REED_FORMAT_MINOR;
        for (int which = 0; which < 2; which++) {
            if (which == 1) {
                struct reed_shard_layout layout;
                info.object_size = random_below(&random, REED_OBJECT_SIZE_MAX + 1) >>
                                   random_below(&random, 63);
                CHECK(reed_shard_layout(info.data_shards, info.block_size, info.object_size,
                                        &layout) == REED_OK, "layout");
                info.row_count = layout.row_count;
                if (info.digest_type != REED_DIGEST_NONE) {
                    random_bytes(&random, info.digest, sizeof info.digest);
                }
            }
            uint8_t bytes[REED_SHARD_HEADER_SIZE];
            struct reed_shard_info parsed;
            memset(bytes, 0xa5, sizeof bytes);
            CHECK(kinds[which].write(&info, bytes, NULL) == REED_OK, "trial %d", trial);
            CHECK(kinds[which].parse(bytes, sizeof bytes, &parsed, NULL) == REED_OK, "trial %d",
                  trial);
            CHECK(shard_equal(&parsed, &info), "trial %d: %s fields", trial,
                  kinds[which].name);
            CHECK(kinds[!which].parse(bytes, sizeof bytes, &parsed, NULL) == REED_NOT_A_SHARD,
                  "a %s is only that", kinds[which].name);
        }
    }
}

static void test_block_round_trip(void)
{
    static const uint32_t payload_sizes[] = {1,   2,   63,   64,   65,      127,
                                             128, 904, 4095, 4096, 1048576, 16777216};
    uint8_t *record = malloc(REED_BLOCK_HEADER_SIZE + REED_BLOCK_SIZE_MAX);
    CHECK(record != NULL, "malloc");
    for (size_t i = 0; i < sizeof payload_sizes / sizeof payload_sizes[0]; i++) {
        for (uint32_t k = 1; k <= 200; k += 199) {
            struct reed_block_info info = sample_block(), parsed;
            info.data_shards = k;
            info.shard_index = k + 3;
            info.payload_size = payload_sizes[i];
            info.block_size = info.payload_size <= 4096 ? 4096 : info.payload_size;
            info.row_data_size = (uint64_t)k * info.payload_size;
            for (int shorter = 0; shorter < 2; shorter++) {
                if (shorter) info.row_data_size -= k - 1; /* still rounds up to the payload */
                info.row = (REED_OBJECT_SIZE_MAX - info.row_data_size) /
                           ((uint64_t)k * info.block_size);
                size_t size = write_record(&info, record);
                for (size_t n = 0; reed_kernel_at(n) != NULL; n++) {
                    if (!reed_kernel_is_supported(reed_kernel_at(n))) continue;
                    CHECK(reed_block_parse(reed_kernel_at(n), record, size, &parsed, NULL) ==
                              REED_OK, "payload %u", info.payload_size);
                    CHECK(block_equal(&parsed, &info), "payload %u fields",
                          info.payload_size);
                }
                CHECK(reed_block_parse(NULL, record, size - 1, &parsed, NULL) == REED_TRUNCATED,
                      "one byte less");
            }
        }
    }
    free(record);
}

/* ---- ranges ------------------------------------------------------------------------------ */

#define SHARD_FIELD_OF(member) offsetof(struct reed_shard_info, member), sizeof(uint32_t)

static void test_write_refuses_shard(void)
{
    const struct {
        size_t offset, size;
        uint64_t value;
        const char *field;
        uint64_t minimum, maximum;
        bool footer_only;
    } refusals[] = {
        {SHARD_FIELD_OF(generator), 0, "generator", 1, 7, false},
        {SHARD_FIELD_OF(generator), 8, "generator", 1, 7, false},
        {SHARD_FIELD_OF(generator), REED_GENERATOR_EXPLICIT, "generator", 1, 7, false},
        {SHARD_FIELD_OF(generator), UINT32_MAX, "generator", 1, 7, false},
        {SHARD_FIELD_OF(generator), REED_GENERATOR_REPLICATION, "data_shards", 1, 1, false},
        {SHARD_FIELD_OF(data_shards), 0, "data_shards", 1, 256, false},
        {SHARD_FIELD_OF(data_shards), 253, "parity_shards", 0, 3, false},
        {SHARD_FIELD_OF(data_shards), 257, "data_shards", 1, 256, false},
        {SHARD_FIELD_OF(data_shards), UINT32_MAX, "data_shards", 1, 256, false},
        {SHARD_FIELD_OF(parity_shards), 3, "shard_index", 0, 12, false},
        {SHARD_FIELD_OF(parity_shards), 247, "parity_shards", 0, 246, false},
        {SHARD_FIELD_OF(parity_shards), UINT32_MAX, "parity_shards", 0, 246, false},
        {SHARD_FIELD_OF(parity_shards), UINT32_MAX - 9, "parity_shards", 0, 246, false},
        {SHARD_FIELD_OF(shard_index), 14, "shard_index", 0, 13, false},
        {SHARD_FIELD_OF(shard_index), UINT32_MAX, "shard_index", 0, 13, false},
        {SHARD_FIELD_OF(block_size), 0, "block_size", 4096, 16777216, false},
        {SHARD_FIELD_OF(block_size), 2048, "block_size", 4096, 16777216, false},
        {SHARD_FIELD_OF(block_size), 4097, "block_size", 4096, 16777216, false},
        {SHARD_FIELD_OF(block_size), 12288, "block_size", 4096, 16777216, false},
        {SHARD_FIELD_OF(block_size), 33554432, "block_size", 4096, 16777216, false},
        {SHARD_FIELD_OF(digest_type), 3, "digest_type", 0, 2, false},
        {SHARD_FIELD_OF(digest_type), UINT32_MAX, "digest_type", 0, 2, false},
        {SHARD_FIELD_OF(digest_type), REED_DIGEST_NONE, "digest", 0, 0, true},
        {offsetof(struct reed_shard_info, object_size), 8, 40960, "row_count", 1, 1, true},
        {offsetof(struct reed_shard_info, object_size), 8, 81921, "row_count", 3, 3, true},
        {offsetof(struct reed_shard_info, object_size), 8, REED_OBJECT_SIZE_MAX + 1,
         "object_size", 0, REED_OBJECT_SIZE_MAX, true},
        {offsetof(struct reed_shard_info, object_size), 8, UINT64_MAX, "object_size", 0,
         REED_OBJECT_SIZE_MAX, true},
        {offsetof(struct reed_shard_info, row_count), 8, 0, "row_count", 2, 2, true},
        {offsetof(struct reed_shard_info, row_count), 8, 1, "row_count", 2, 2, true},
        {offsetof(struct reed_shard_info, row_count), 8, 3, "row_count", 2, 2, true},
    };
    for (int which = 0; which < 2; which++) {
        for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
            struct reed_shard_info info = sample_footer();
            uint32_t narrow = (uint32_t)refusals[i].value;
            uint8_t bytes[REED_SHARD_HEADER_SIZE] = {0};
            struct reed_format_fault fault;
            memcpy((uint8_t *)&info + refusals[i].offset,
                   refusals[i].size == 4 ? (const void *)&narrow : (const void *)&refusals[i].value,
                   refusals[i].size);
            enum reed_status status = kinds[which].write(&info, bytes, &fault);
            if (refusals[i].footer_only && which == 0) {
                CHECK(status == REED_OK && fault.field == NULL, "refusal %zu of a header", i);
                continue;
            }
            CHECK(status == REED_INVALID_PARAMETER, "%s refusal %zu: %d", kinds[which].name, i,
                  (int)status);
            CHECK(is_zero(bytes, sizeof bytes), "refusal %zu wrote", i);
            CHECK(fault.field != NULL && strcmp(fault.field, refusals[i].field) == 0,
                  "refusal %zu names %s", i, fault.field);
            CHECK(fault.minimum == refusals[i].minimum && fault.maximum == refusals[i].maximum,
                  "refusal %zu of %s: %llu .. %llu", i, fault.field,
                  (unsigned long long)fault.minimum, (unsigned long long)fault.maximum);
        }
        struct reed_shard_info info = sample_footer();
        uint8_t bytes[REED_SHARD_HEADER_SIZE];
        struct reed_format_fault fault;
        memset(info.stripe_id, 0, sizeof info.stripe_id);
        CHECK(kinds[which].write(&info, bytes, &fault) == REED_INVALID_PARAMETER &&
                  strcmp(fault.field, "stripe_id") == 0, "a stripe id of zeros");
    }
}

#define BLOCK_FIELD_OF(member) \
    offsetof(struct reed_block_info, member), sizeof(((struct reed_block_info *)0)->member)

static void test_write_refuses_block(void)
{
    const struct {
        size_t offset, size;
        uint64_t value;
        const char *field;
        uint64_t minimum, maximum;
    } refusals[] = {
        {BLOCK_FIELD_OF(row), (REED_OBJECT_SIZE_MAX - 9040) / 40960 + 1, "row", 0,
         (REED_OBJECT_SIZE_MAX - 9040) / 40960},
        {BLOCK_FIELD_OF(row), UINT64_MAX, "row", 0, (REED_OBJECT_SIZE_MAX - 9040) / 40960},
        {BLOCK_FIELD_OF(row_data_size), 0, "row_data_size", 1, 40960},
        {BLOCK_FIELD_OF(row_data_size), 9030, "payload_size", 903, 903},
        {BLOCK_FIELD_OF(row_data_size), 9041, "payload_size", 905, 905},
        {BLOCK_FIELD_OF(row_data_size), 40961, "row_data_size", 1, 40960},
        {BLOCK_FIELD_OF(row_data_size), UINT64_MAX, "row_data_size", 1, 40960},
        {BLOCK_FIELD_OF(generator), 0, "generator", 1, 7},
        {BLOCK_FIELD_OF(generator), 8, "generator", 1, 7},
        {BLOCK_FIELD_OF(generator), 257, "generator", 1, 7},
        {BLOCK_FIELD_OF(generator), 2, "data_shards", 1, 1},
        {BLOCK_FIELD_OF(data_shards), 0, "data_shards", 1, 256},
        {BLOCK_FIELD_OF(data_shards), 257, "data_shards", 1, 256},
        {BLOCK_FIELD_OF(data_shards), 11, "payload_size", 822, 822},
        {BLOCK_FIELD_OF(parity_shards), 247, "parity_shards", 0, 246},
        {BLOCK_FIELD_OF(parity_shards), UINT32_MAX, "parity_shards", 0, 246},
        {BLOCK_FIELD_OF(shard_index), 14, "shard_index", 0, 13},
        {BLOCK_FIELD_OF(block_size), 2048, "block_size", 4096, 16777216},
        {BLOCK_FIELD_OF(block_size), 6000, "block_size", 4096, 16777216},
        {BLOCK_FIELD_OF(payload_size), 0, "payload_size", 904, 904},
        {BLOCK_FIELD_OF(payload_size), 903, "payload_size", 904, 904},
        {BLOCK_FIELD_OF(payload_size), 905, "payload_size", 904, 904},
        {BLOCK_FIELD_OF(is_last_row), 0, "row_data_size", 40960, 40960},
        {BLOCK_FIELD_OF(is_last_row), 2, "is_last_row", 0, 1},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct reed_block_info info = sample_block();
        uint32_t narrow = (uint32_t)refusals[i].value;
        uint8_t bytes[REED_BLOCK_HEADER_SIZE] = {0};
        struct reed_format_fault fault;
        memcpy((uint8_t *)&info + refusals[i].offset,
               refusals[i].size == 4 ? (const void *)&narrow : (const void *)&refusals[i].value,
               refusals[i].size);
        CHECK(reed_block_header_write(&info, 0, bytes, &fault) == REED_INVALID_PARAMETER,
              "refusal %zu", i);
        CHECK(is_zero(bytes, sizeof bytes), "refusal %zu wrote", i);
        CHECK(fault.field != NULL && strcmp(fault.field, refusals[i].field) == 0,
              "refusal %zu names %s", i, fault.field);
        CHECK(fault.minimum == refusals[i].minimum && fault.maximum == refusals[i].maximum,
              "refusal %zu of %s: %llu .. %llu", i, fault.field,
              (unsigned long long)fault.minimum, (unsigned long long)fault.maximum);
    }
    struct reed_block_info info = sample_block();
    uint8_t bytes[REED_BLOCK_HEADER_SIZE];
    struct reed_format_fault fault;
    memset(info.stripe_id, 0, sizeof info.stripe_id);
    CHECK(reed_block_header_write(&info, 0, bytes, &fault) == REED_INVALID_PARAMETER &&
              strcmp(fault.field, "stripe_id") == 0, "a stripe id of zeros");
}

/* A field of the file is set to a value and the checksum made right again. */
static void test_parse_refuses_shard(void)
{
    const struct {
        size_t offset, size;
        uint64_t value;
        enum reed_status status;
        const char *field;
    } refusals[] = {
        {8, 2, 0, REED_MALFORMED, "version_major"},
        {8, 2, 2, REED_UNSUPPORTED_VERSION, "version_major"},
        {8, 2, UINT16_MAX, REED_UNSUPPORTED_VERSION, "version_major"},
        {10, 2, UINT16_MAX, REED_OK, NULL},
        {12, 4, 255, REED_MALFORMED, "size"},
        {12, 4, 257, REED_MALFORMED, "size"},
        {12, 4, 0, REED_MALFORMED, "size"},
        {16, 4, UINT32_MAX, REED_OK, NULL},
        {20, 4, 1, REED_UNSUPPORTED_FEATURE, "incompatible_flags"},
        {20, 4, UINT32_C(1) << 31, REED_UNSUPPORTED_FEATURE, "incompatible_flags"},
        {40, 4, 0, REED_UNSUPPORTED_FEATURE, "field"},
        {40, 4, 2, REED_UNSUPPORTED_FEATURE, "field"},
        {44, 4, 0, REED_UNSUPPORTED_FEATURE, "generator"},
        {44, 4, 8, REED_UNSUPPORTED_FEATURE, "generator"},
        {44, 4, 255, REED_UNSUPPORTED_FEATURE, "generator"},
        {44, 4, 257, REED_UNSUPPORTED_FEATURE, "generator"},
        {44, 4, 2, REED_MALFORMED, "data_shards"},
        {48, 4, UINT32_MAX, REED_OK, NULL},
        {52, 4, 0, REED_MALFORMED, "data_shards"},
        {52, 4, 257, REED_MALFORMED, "data_shards"},
        {52, 4, UINT32_MAX, REED_MALFORMED, "data_shards"},
        {52, 4, 253, REED_MALFORMED, "parity_shards"},
        {56, 4, 3, REED_MALFORMED, "shard_index"},
        {56, 4, 4, REED_OK, NULL},
        {56, 4, 246, REED_OK, NULL},
        {56, 4, 247, REED_MALFORMED, "parity_shards"},
        {56, 4, UINT32_MAX - 9, REED_MALFORMED, "parity_shards"},
        {60, 4, 0, REED_OK, NULL},
        {60, 4, 14, REED_MALFORMED, "shard_index"},
        {60, 4, 15, REED_MALFORMED, "shard_index"},
        {60, 4, UINT32_MAX, REED_MALFORMED, "shard_index"},
        {64, 4, 0, REED_MALFORMED, "block_size"},
        {64, 4, 2048, REED_MALFORMED, "block_size"},
        {64, 4, 4095, REED_MALFORMED, "block_size"},
        {64, 4, 12288, REED_MALFORMED, "block_size"},
        {64, 4, 33554432, REED_MALFORMED, "block_size"},
        {68, 4, 0, REED_UNSUPPORTED_FEATURE, "checksum_type"},
        {68, 4, 2, REED_UNSUPPORTED_FEATURE, "checksum_type"},
        {72, 4, 3, REED_UNSUPPORTED_FEATURE, "digest_type"},
    };
    for (int which = 0; which < 2; which++) {
        struct reed_shard_info info = sample_footer();
        uint8_t sample[REED_SHARD_HEADER_SIZE], bytes[REED_SHARD_HEADER_SIZE];
        struct reed_format_fault fault;
        CHECK(kinds[which].write(&info, sample, NULL) == REED_OK, "write");
        for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
            memcpy(bytes, sample, sizeof bytes);
            for (size_t b = 0; b < refusals[i].size; b++) {
                bytes[refusals[i].offset + b] = (uint8_t)(refusals[i].value >> 8 * b);
            }
            store_u32_le(bytes + 252, reed_crc32c(0, bytes, 252));
            enum reed_status status = kinds[which].parse(bytes, sizeof bytes, &info, &fault);
            CHECK(status == refusals[i].status, "%s refusal %zu: %d", kinds[which].name, i,
                  (int)status);
            if (status == REED_OK) continue;
            CHECK(shard_equal(&info, &no_shard), "refusal %zu leaves fields", i);
            CHECK(strcmp(fault.field, refusals[i].field) == 0, "refusal %zu names %s", i,
                  fault.field);
        }
        /* Every byte that must be zero: a header has none of the footer's fields. */
        for (size_t at = 76; at < 252; at++) {
            bool is_field = which == 1 && at >= 80 && at < 128;
            memcpy(bytes, sample, sizeof bytes);
            bytes[at] ^= 1;
            store_u32_le(bytes + 252, reed_crc32c(0, bytes, 252));
            enum reed_status status = kinds[which].parse(bytes, sizeof bytes, &info, &fault);
            if (is_field) {
                /* The digest may change freely, the object size within its two rows. */
                bool is_free = at >= 96 || at == 80 || at == 81;
                CHECK(status == (is_free ? REED_OK : REED_MALFORMED), "footer byte %zu: %d", at,
                      (int)status);
            } else {
                CHECK(status == REED_MALFORMED && strcmp(fault.field, "reserve") == 0,
                      "%s byte %zu: %d", kinds[which].name, at, (int)status);
            }
        }
    }
}

/* The same for a block. Only the lowest byte of a field is set; `value` is 0 .. 255. */
static void test_parse_refuses_block(void)
{
    enum { RECORD_SIZE = 64 + 960 };
    static const struct {
        size_t offset;
        uint8_t value;
        enum reed_status status;
        const char *field;
    } refusals[] = {
        {31, 1, REED_MALFORMED, "row"}, /* its highest byte */
        {32, 0x46, REED_MALFORMED, "payload_size"}, /* 9,030 */
        {32, 0x51, REED_MALFORMED, "payload_size"}, /* 9,041 */
        {33, 0xa1, REED_MALFORMED, "row_data_size"}, /* 41,296 */
        {39, 1, REED_MALFORMED, "row_data_size"},
        {40, 0, REED_MALFORMED, "data_shards"},
        {40, 11, REED_MALFORMED, "payload_size"},
        {40, 253, REED_MALFORMED, "parity_shards"},
        {43, 1, REED_MALFORMED, "data_shards"},
        {44, 3, REED_MALFORMED, "shard_index"},
        {44, 5, REED_OK, NULL},
        {44, 247, REED_MALFORMED, "parity_shards"},
        {48, 0, REED_OK, NULL},
        {48, 14, REED_MALFORMED, "shard_index"},
        {51, 1, REED_MALFORMED, "shard_index"},
        {56, 0, REED_UNSUPPORTED_FEATURE, "generator"},
        {56, 8, REED_UNSUPPORTED_FEATURE, "generator"},
        {56, 255, REED_UNSUPPORTED_FEATURE, "generator"},
        {56, 2, REED_MALFORMED, "data_shards"},
        {57, 0, REED_UNSUPPORTED_FEATURE, "field"},
        {57, 2, REED_UNSUPPORTED_FEATURE, "field"},
        {58, 11, REED_MALFORMED, "block_size_log2"},
        {58, 25, REED_MALFORMED, "block_size_log2"},
        {58, 255, REED_MALFORMED, "block_size_log2"},
        {58, 24, REED_OK, NULL},
        {59, 0, REED_MALFORMED, "row_data_size"},
        {59, 2, REED_UNSUPPORTED_FEATURE, "flags"},
        {59, 129, REED_UNSUPPORTED_FEATURE, "flags"},
    };
    struct reed_block_info info = sample_block(), parsed;
    struct reed_format_fault fault;
    uint8_t sample[RECORD_SIZE], record[RECORD_SIZE];
    CHECK(write_record(&info, sample) == RECORD_SIZE, "record size");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        memcpy(record, sample, RECORD_SIZE);
        record[refusals[i].offset] = refusals[i].value;
        uint32_t crc = reed_crc32c(0, record, 60);
        store_u32_le(record + 60, reed_crc32c(crc, record + 64, info.payload_size));
        enum reed_status status = reed_block_parse(NULL, record, RECORD_SIZE, &parsed, &fault);
        CHECK(status == refusals[i].status, "refusal %zu: %d", i, (int)status);
        if (status == REED_OK) continue;
        CHECK(block_equal(&parsed, &no_block), "refusal %zu leaves fields", i);
        CHECK(strcmp(fault.field, refusals[i].field) == 0, "refusal %zu names %s", i, fault.field);
    }
    const uint32_t payload_sizes[] = {0, REED_BLOCK_SIZE_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof payload_sizes / sizeof payload_sizes[0]; i++) {
        memcpy(record, sample, RECORD_SIZE);
        store_u32_le(record + 52, payload_sizes[i]);
        CHECK(reed_block_parse(NULL, record, RECORD_SIZE, &parsed, &fault) == REED_CORRUPT &&
                  strcmp(fault.field, "payload_size") == 0, "payload size %u", payload_sizes[i]);
    }
}

/* ---- damage ------------------------------------------------------------------------------ */

static void test_every_bit_and_size_of_shards(void)
{
    struct guarded memory = guarded_allocate(REED_SHARD_HEADER_SIZE);
    for (int which = 0; which < 2; which++) {
        struct reed_shard_info info = sample_footer();
        struct reed_format_fault fault;
        uint8_t sample[REED_SHARD_HEADER_SIZE];
        CHECK(kinds[which].write(&info, sample, NULL) == REED_OK, "write");
        for (size_t size = 0; size < sizeof sample; size++) {
            uint8_t *bytes = memory.end - size; /* the byte behind the last one faults */
            memcpy(bytes, sample, size);
            CHECK(kinds[which].parse(bytes, size, &info, &fault) == REED_TRUNCATED, "size %zu",
                  size);
            CHECK(shard_equal(&info, &no_shard) && fault.field == NULL, "size %zu", size);
            if (size == 0) continue;
            bytes[0] ^= 1;
            CHECK(kinds[which].parse(bytes, size, &info, NULL) == REED_NOT_A_SHARD, "size %zu",
                  size);
        }
        uint8_t *bytes = memory.end - sizeof sample;
        for (size_t bit = 0; bit < 8 * sizeof sample; bit++) {
            memcpy(bytes, sample, sizeof sample);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            enum reed_status status = kinds[which].parse(bytes, sizeof sample, &info, &fault);
            CHECK(status == (bit < 64 ? REED_NOT_A_SHARD : REED_CORRUPT), "%s bit %zu: %d",
                  kinds[which].name, bit, (int)status);
            CHECK(shard_equal(&info, &no_shard), "bit %zu", bit);
        }
    }
    guarded_release(memory);
}

static void test_every_bit_and_size_of_blocks(void)
{
    enum { RECORD_SIZE = 64 + 960 }; /* a payload of 904 and 56 bytes of padding */
    struct guarded memory = guarded_allocate(RECORD_SIZE);
    struct reed_block_info info = sample_block(), parsed;
    struct reed_format_fault fault;
    uint8_t sample[RECORD_SIZE];
    CHECK(write_record(&info, sample) == RECORD_SIZE, "record size");
    for (size_t size = 0; size < RECORD_SIZE; size++) {
        uint8_t *record = memory.end - size;
        memcpy(record, sample, size);
        CHECK(reed_block_parse(NULL, record, size, &parsed, &fault) == REED_TRUNCATED, "size %zu",
              size);
        CHECK(block_equal(&parsed, &no_block), "size %zu", size);
    }
    uint8_t *record = memory.end - RECORD_SIZE;
    for (size_t bit = 0; bit < 8 * RECORD_SIZE; bit++) {
        memcpy(record, sample, RECORD_SIZE);
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum reed_status status = reed_block_parse(NULL, record, RECORD_SIZE, &parsed, &fault);
        size_t byte = bit / 8;
        bool is_payload_size = byte >= 52 && byte < 56; /* may claim more than is there */
        CHECK(status == (byte < 8 ? REED_NOT_A_SHARD : REED_CORRUPT) ||
                  (is_payload_size && status == REED_TRUNCATED),
              "byte %zu bit %zu: %d", byte, bit % 8, (int)status);
        CHECK(block_equal(&parsed, &no_block), "bit %zu", bit);
        if (byte >= RECORD_SIZE - 56) {
            CHECK(strcmp(fault.field, "padding") == 0, "byte %zu: %s", byte, fault.field);
        }
    }
    memcpy(record, sample, RECORD_SIZE);
    CHECK(reed_block_parse(NULL, record, RECORD_SIZE, &parsed, NULL) == REED_OK, "undamaged");
    guarded_release(memory);
}

/* The same payload under another identity must have another checksum. */
static void test_identity_is_in_the_checksum(void)
{
    struct reed_block_info info = sample_block(), parsed;
    uint8_t record[1024], other[1024];
    size_t size = write_record(&info, record);
    for (int change = 0; change < 5; change++) {
        struct reed_block_info moved = info;
        switch (change) {
        case 0: moved.row++; break;
        case 1: moved.shard_index--; break;
        case 2: moved.stripe_id[15] ^= 1; break;
        case 3: moved.row_data_size--; break;
        default: moved.parity_shards++; break;
        }
        CHECK(write_record(&moved, other) == size, "size");
        CHECK(memcmp(record + 60, other + 60, 4) != 0, "change %d leaves the checksum", change);
        memcpy(other + 60, record + 60, 4);
        CHECK(reed_block_parse(NULL, other, size, &parsed, NULL) == REED_CORRUPT, "change %d",
              change);
    }
}

static void test_hostile_bytes(void)
{
    enum { SIZE_MAX_TRIED = 8192 };
    uint64_t random = seed + 1;
    struct guarded memory = guarded_allocate(SIZE_MAX_TRIED);
    static const uint8_t letters[3] = {'H', 'F', 'B'};
    for (int trial = 0; trial < 100000; trial++) {
        size_t size = random_below(&random, trial % 10 == 0 ? SIZE_MAX_TRIED : 300);
        uint8_t *bytes = memory.end - size;
        if (trial % 100 == 0) random_bytes(&random, memory.begin, SIZE_MAX_TRIED);
        for (int i = 0; i < 8 && size > 0; i++) {
            bytes[random_below(&random, size)] = (uint8_t)random_u64(&random);
        }
        uint8_t letter = letters[random_below(&random, 3)];
        const uint8_t magic[8] = {0x89, 'R', 'S', letter, '\r', '\n', 0x1a, '\n'};
        memcpy(bytes, magic, size < 8 ? size : 8);
        if (size >= 64 && letter == 'B') {
            store_u32_le(bytes + 52, (uint32_t)random_below(&random, 9000));
        }
        struct reed_shard_info shard;
        struct reed_block_info block;
        enum reed_status status =
            letter == 'H'   ? reed_shard_header_parse(bytes, size, &shard, NULL)
            : letter == 'F' ? reed_shard_footer_parse(bytes, size, &shard, NULL)
                            : reed_block_parse(NULL, bytes, size, &block, NULL);
        CHECK(status == REED_TRUNCATED || status == REED_CORRUPT, "trial %d: %d", trial,
              (int)status);
    }
    guarded_release(memory);
}

/* ---- layout ------------------------------------------------------------------------------ */

static void test_layout(void)
{
    const uint32_t counts[] = {1, 2, 3, 10, 255, 256};
    const uint32_t block_sizes[] = {4096, 65536, 16777216};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        for (size_t b = 0; b < sizeof block_sizes / sizeof block_sizes[0]; b++) {
            uint64_t k = counts[c], block = block_sizes[b], row = k * block;
            const uint64_t sizes[] = {0,       1,           k - 1,       k,       k + 1,
                                      row - 1, row,         row + 1,     row + k, 7 * row - 1,
                                      7 * row, 7 * row + 1, 7 * row + k * 64,
                                      REED_OBJECT_SIZE_MAX - 1, REED_OBJECT_SIZE_MAX};
            for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
                struct reed_shard_layout layout;
                CHECK(reed_shard_layout(counts[c], block_sizes[b], sizes[s], &layout) == REED_OK,
                      "size %llu", (unsigned long long)sizes[s]);
                uint64_t rows = layout.row_count;
                CHECK(layout.full_record_size == 64 + block, "record size");
                CHECK(rows == 0 ? sizes[s] == 0 && layout.last_row_data_size == 0
                                : (rows - 1) * row + layout.last_row_data_size == sizes[s] &&
                                      layout.last_row_data_size >= 1 &&
                                      layout.last_row_data_size <= row,
                      "rows %llu of size %llu", (unsigned long long)rows,
                      (unsigned long long)sizes[s]);
                CHECK(k * layout.last_payload_size >= layout.last_row_data_size &&
                          k * layout.last_payload_size < layout.last_row_data_size + k,
                      "last payload %u", layout.last_payload_size);
                uint64_t begin = 256 + (rows == 0 ? 0 : (rows - 1) * (64 + block));
                uint64_t last = rows == 0 ? 0 : 64 + (uint64_t)layout.last_payload_size;
                CHECK(layout.footer_offset % 64 == 0 && layout.footer_offset >= begin + last &&
                          layout.footer_offset < begin + last + 64,
                      "footer at %llu", (unsigned long long)layout.footer_offset);
                CHECK(layout.file_size == layout.footer_offset + 256 &&
                          layout.file_size < UINT64_C(1) << 63, "file size");
            }
        }
    }
    const struct {
        uint32_t data_shards, block_size;
        uint64_t object_size;
    } refusals[] = {
        {0, 4096, 1},    {257, 4096, 1},     {UINT32_MAX, 4096, 1},           {1, 0, 1},
        {1, 2048, 1},    {1, 4097, 1},       {1, 33554432, 1},                {1, UINT32_MAX, 1},
        {1, 12288, 1},   {10, 4096, REED_OBJECT_SIZE_MAX + 1}, {10, 4096, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct reed_shard_layout layout;
        CHECK(reed_shard_layout(refusals[i].data_shards, refusals[i].block_size,
                                refusals[i].object_size, &layout) == REED_INVALID_PARAMETER,
              "refusal %zu", i);
        CHECK(layout.row_count == 0 && layout.full_record_size == 0 && layout.footer_offset == 0 &&
                  layout.file_size == 0, "refusal %zu leaves numbers", i);
    }
}

int main(void)
{
    printf("seed %llu\n", (unsigned long long)seed);
    test_shard_round_trip();
    test_block_round_trip();
    test_write_refuses_shard();
    test_write_refuses_block();
    test_parse_refuses_shard();
    test_parse_refuses_block();
    test_every_bit_and_size_of_shards();
    test_every_bit_and_size_of_blocks();
    test_identity_is_in_the_checksum();
    test_hostile_bytes();
    test_layout();
    return EXIT_SUCCESS;
}
