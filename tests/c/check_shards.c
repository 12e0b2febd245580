/* check_shards.c - reads all shard files of one object and proves them against each other: every
 * structure parses, every record lies where the layout says, every row's parity is that of its data,
 * and what is parsed is written again as the same bytes. For frozen files on foreign machines.
 *
 *   check_shards SHARD...       in the order of their indices; prints what was checked */
#define _DEFAULT_SOURCE
#include <inttypes.h>

#include "check.h"
#include "reed.h"

enum { SHARDS_MAX = REED_SHARDS_MAX };

static struct shard {
    uint8_t *bytes;
    size_t size;
    struct reed_shard_info footer;
} shards[SHARDS_MAX];

static void shard_read(struct shard *shard, const char *path)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL, "%s", path);
    CHECK(fseek(file, 0, SEEK_END) == 0, "%s", path);
    shard->size = (size_t)ftell(file);
    rewind(file);
    shard->bytes = malloc(shard->size);
    CHECK(shard->bytes != NULL && fread(shard->bytes, 1, shard->size, file) == shard->size, "%s",
          path);
    fclose(file);
}

/* Header and footer. A file of a later minor version is not written by this one. */
static void check_ends(struct shard *shard, uint32_t index)
{
    struct reed_shard_info header;
    uint8_t again[REED_SHARD_HEADER_SIZE];
    const uint8_t *end = shard->bytes + shard->size - REED_SHARD_FOOTER_SIZE;
    CHECK(reed_shard_header_parse(shard->bytes, shard->size, &header, NULL) == REED_OK, "header");
    CHECK(reed_shard_footer_parse(end, REED_SHARD_FOOTER_SIZE, &shard->footer, NULL) == REED_OK,
          "footer");
    CHECK(header.shard_index == index && shard->footer.shard_index == index, "shard %u is %u",
          (unsigned)index, (unsigned)header.shard_index);
    if (header.version_minor != REED_FORMAT_MINOR) return;
    CHECK(reed_shard_header_write(&header, again, NULL) == REED_OK &&
              memcmp(again, shard->bytes, sizeof again) == 0, "header written again");
    CHECK(reed_shard_footer_write(&shard->footer, again, NULL) == REED_OK &&
              memcmp(again, end, sizeof again) == 0, "footer written again");
}

static const uint8_t *check_record(const struct shard *shard,
                                   const struct reed_shard_layout *layout, uint64_t row,
                                   uint32_t index, struct reed_block_info *info)
{
    size_t at = (size_t)(REED_SHARD_HEADER_SIZE + row * layout->full_record_size);
    const uint8_t *record = shard->bytes + at;
    uint8_t again[REED_BLOCK_HEADER_SIZE];
    CHECK(reed_block_parse(NULL, record, shard->size - at, info, NULL) == REED_OK,
          "row %" PRIu64 " of shard %u", row, (unsigned)index);
    CHECK(info->row == row && info->shard_index == index, "a record in another's place");
    const uint8_t *payload = record + REED_BLOCK_HEADER_SIZE;
    uint32_t crc32c = reed_crc32c(0, payload, info->payload_size);
    CHECK(reed_block_header_write(info, crc32c, again, NULL) == REED_OK &&
              memcmp(again, record, sizeof again) == 0, "record written again");
    return payload;
}

int main(int argc, char **argv)
{
    CHECK(argc > 1 && argc <= SHARDS_MAX + 1, "usage: check_shards SHARD...");
    uint32_t count = (uint32_t)(argc - 1);
    for (uint32_t i = 0; i < count; i++) {
        shard_read(&shards[i], argv[i + 1]);
        check_ends(&shards[i], i);
    }
    const struct reed_shard_info *info = &shards[0].footer;
    struct reed_shard_layout layout;
    CHECK(info->data_shards + info->parity_shards == count, "%u shards given", (unsigned)count);
    CHECK(reed_shard_layout(info->data_shards, info->block_size, info->object_size, &layout) ==
              REED_OK, "layout");
    struct reed_code_options options = {
        .struct_size = sizeof options,
        .generator = (enum reed_generator)info->generator,
        .data_shards = info->data_shards,
        .parity_shards = info->parity_shards,
    };
    struct reed_code *code;
    CHECK(reed_code_create(&options, &code) == REED_OK, "code");
    CHECK(reed_code_matrix_crc32c(code) == info->matrix_crc32c, "matrix");
    for (uint64_t row = 0; row < layout.row_count; row++) {
        const uint8_t *payloads[SHARDS_MAX];
        struct reed_block_info block;
        for (uint32_t i = 0; i < count; i++) {
            CHECK(shards[i].size == layout.file_size, "size of shard %u", (unsigned)i);
            payloads[i] = check_record(&shards[i], &layout, row, i, &block);
        }
        CHECK(reed_stripe_verify(code, payloads, block.payload_size, NULL) == REED_OK,
              "parity of row %" PRIu64, row);
    }
    printf("%u+%u %s, %" PRIu64 " bytes in %" PRIu64 " rows\n", (unsigned)info->data_shards,
           (unsigned)info->parity_shards, reed_generator_name(options.generator),
           info->object_size, layout.row_count);
    reed_code_destroy(code);
    for (uint32_t i = 0; i < count; i++) free(shards[i].bytes);
    return EXIT_SUCCESS;
}
