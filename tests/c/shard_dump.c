/* shard_dump.c - lets another language call the shard parsers. Standard input is a sequence of
 * cases: a letter (H header, F footer, B block, L layout), the size in four bytes, little-endian,
 * and the bytes (L: data_shards, block_size, object_size as 4, 4 and 8 bytes). For each case one
 * line: the status; then for an error the field to blame, its value and limits; for a success the
 * fields. Whatever parses is written again and must give the same bytes. */
#define _DEFAULT_SOURCE
#include <inttypes.h>

#include "bytes.h"
#include "check.h"
#include "reed.h"

static void print_hex(const uint8_t *bytes, size_t size)
{
    putchar(' ');
    for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
}

static bool print_status(enum reed_status status, const struct reed_format_fault *fault)
{
    printf("%d", (int)status);
    if (status != REED_OK) {
        printf(" %s %" PRIu64 " %" PRIu64 " %" PRIu64, fault->field ? fault->field : "-",
               fault->value, fault->minimum, fault->maximum);
    }
    return status == REED_OK;
}

static void print_shard(const struct reed_shard_info *info)
{
    printf(" %u %u %" PRIu32, info->version_major, info->version_minor, info->compatible_flags);
    print_hex(info->stripe_id, sizeof info->stripe_id);
    printf(" %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32,
           info->generator, info->matrix_crc32c, info->data_shards, info->parity_shards,
           info->shard_index, info->block_size, info->digest_type);
    printf(" %" PRIu64 " %" PRIu64, info->object_size, info->row_count);
    print_hex(info->digest, sizeof info->digest);
}

/* The bytes of an accepted header or footer, written by this version. */
static void check_shard_bytes(bool is_footer, const uint8_t *bytes,
                              const struct reed_shard_info *info)
{
    uint8_t again[REED_SHARD_HEADER_SIZE];
    enum reed_status status = is_footer ? reed_shard_footer_write(info, again, NULL)
                                        : reed_shard_header_write(info, again, NULL);
    CHECK(status == REED_OK, "what parses can be written: %d", (int)status);
    if (info->version_minor == REED_FORMAT_MINOR) {
        CHECK(memcmp(again, bytes, sizeof again) == 0, "rewritten bytes differ");
    }
}

static void dump_shard(bool is_footer, const uint8_t *bytes, size_t size)
{
    struct reed_shard_info info;
    struct reed_format_fault fault;
    enum reed_status status = is_footer ? reed_shard_footer_parse(bytes, size, &info, &fault)
                                        : reed_shard_header_parse(bytes, size, &info, &fault);
    if (!print_status(status, &fault)) return;
    print_shard(&info);
    check_shard_bytes(is_footer, bytes, &info);
}

static void dump_block(const uint8_t *bytes, size_t size)
{
    struct reed_block_info info;
    struct reed_format_fault fault;
    if (!print_status(reed_block_parse(NULL, bytes, size, &info, &fault), &fault)) return;
    print_hex(info.stripe_id, sizeof info.stripe_id);
    printf(" %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32
           " %" PRIu32 " %" PRIu32, info.row, info.row_data_size, info.generator,
           info.data_shards, info.parity_shards, info.shard_index, info.block_size,
           info.payload_size, info.is_last_row);
    uint8_t again[REED_BLOCK_HEADER_SIZE];
    uint32_t payload = reed_crc32c(0, bytes + REED_BLOCK_HEADER_SIZE, info.payload_size);
    CHECK(reed_block_header_write(&info, payload, again, NULL) == REED_OK, "written again");
    CHECK(memcmp(again, bytes, sizeof again) == 0, "rewritten bytes differ");
}

static void dump_layout(const uint8_t *bytes, size_t size)
{
    CHECK(size == 16, "%zu bytes", size);
    struct reed_shard_layout layout;
    enum reed_status status = reed_shard_layout(load_u32_le(bytes), load_u32_le(bytes + 4),
                                                load_u64_le(bytes + 8), &layout);
    printf("%d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64, (int)status,
           layout.row_count, layout.full_record_size, layout.last_row_data_size,
           layout.last_payload_size, layout.footer_offset, layout.file_size);
}

int main(void)
{
    uint8_t prefix[5];
    while (fread(prefix, sizeof prefix, 1, stdin) == 1) {
        size_t size = load_u32_le(prefix + 1);
        uint8_t *bytes = malloc(size + (size == 0)); /* exactly sized, for the sanitizer */
        CHECK(bytes != NULL, "malloc");
        CHECK(size == 0 || fread(bytes, size, 1, stdin) == 1, "a case ends early");
        switch (prefix[0]) {
        case 'H': dump_shard(false, bytes, size); break;
        case 'F': dump_shard(true, bytes, size); break;
        case 'B': dump_block(bytes, size); break;
        case 'L': dump_layout(bytes, size); break;
        default: CHECK(false, "case %c", prefix[0]);
        }
        putchar('\n');
        free(bytes);
    }
    return EXIT_SUCCESS;
}
