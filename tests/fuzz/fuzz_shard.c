/* fuzz_shard.c - libFuzzer target for everything that reads bytes of a shard file.
 *
 *     clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined \
 *         -fno-sanitize=null,alignment,object-size,pointer-overflow -Icsrc -Icsrc/include \
 *         tests/fuzz/fuzz_shard.c $(find csrc -name '*.c') -o fuzz_shard
 *     ./fuzz_shard -max_len=8192 corpus tests/vectors/format
 *
 * (tests/c_build.py turns the four checks of single pointers off for the unrolled kernels alone.)
 * The input is parsed as it is, and once more behind a correct magic and checksum, so that the
 * fuzzer reaches the range checks. Properties: no access outside the input (it is copied to memory
 * of exactly its size), nothing is left in the output after an error, and whatever parses is
 * written again as the same bytes. */
#include <string.h>

#include "bytes.h"
#include "fuzz.h"
#include "reed.h"
#include "size.h"

static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) return false;
    }
    return true;
}

static void check_shard(const uint8_t *bytes, size_t size, bool is_footer)
{
    struct reed_shard_info info;
    struct reed_format_fault fault;
    enum reed_status status = is_footer ? reed_shard_footer_parse(bytes, size, &info, &fault)
                                        : reed_shard_header_parse(bytes, size, &info, &fault);
    if (status != REED_OK) {
        REQUIRE(all_zero(info.stripe_id, sizeof info.stripe_id) && info.data_shards == 0 &&
                info.block_size == 0 && info.object_size == 0);
        bool names_a_field = status != REED_NOT_A_SHARD && status != REED_TRUNCATED;
        REQUIRE((fault.field != NULL) == names_a_field);
        return;
    }
    REQUIRE(fault.field == NULL);
    REQUIRE(info.shard_index < info.data_shards + info.parity_shards);
    REQUIRE(info.data_shards >= 1 && info.data_shards + info.parity_shards <= REED_SHARDS_MAX);

    uint8_t again[REED_SHARD_HEADER_SIZE];
    REQUIRE((is_footer ? reed_shard_footer_write(&info, again, NULL)
                       : reed_shard_header_write(&info, again, NULL)) == REED_OK);
    if (info.version_minor == REED_FORMAT_MINOR) REQUIRE(memcmp(again, bytes, sizeof again) == 0);

    struct reed_shard_layout layout;
    REQUIRE(reed_shard_layout(info.data_shards, info.block_size, info.object_size, &layout) ==
            REED_OK);
    REQUIRE(layout.row_count == info.row_count);
}

static void check_block(const uint8_t *bytes, size_t size)
{
    struct reed_block_info info;
    struct reed_format_fault fault;
    enum reed_status status = reed_block_parse(NULL, bytes, size, &info, &fault);
    if (status != REED_OK) {
        REQUIRE(all_zero(info.stripe_id, sizeof info.stripe_id) && info.payload_size == 0 &&
                info.row_data_size == 0 && info.block_size == 0);
        return;
    }
    REQUIRE(info.payload_size <= info.block_size);
    REQUIRE(REED_BLOCK_HEADER_SIZE + info.payload_size <= size);

    /* The portable kernel comes last: the answer does not depend on the kernel. */
    size_t last = 0;
    while (reed_kernel_at(last + 1) != NULL) last++;
    struct reed_block_info portable;
    REQUIRE(reed_block_parse(reed_kernel_at(last), bytes, size, &portable, NULL) == REED_OK);

    uint8_t again[REED_BLOCK_HEADER_SIZE];
    uint32_t payload = reed_crc32c(0, bytes + REED_BLOCK_HEADER_SIZE, info.payload_size);
    REQUIRE(reed_block_header_write(&info, payload, again, NULL) == REED_OK);
    REQUIRE(memcmp(again, bytes, sizeof again) == 0);

    /* The object that this block tells of has a layout in which the block is where it says. */
    struct reed_shard_layout layout;
    uint64_t object_size =
        info.row * info.data_shards * info.block_size + info.row_data_size;
    REQUIRE(reed_shard_layout(info.data_shards, info.block_size, object_size, &layout) == REED_OK);
    REQUIRE(layout.row_count == info.row + 1 &&
            layout.last_row_data_size == info.row_data_size &&
            layout.last_payload_size == info.payload_size);
}

static void check_layout(const uint8_t *bytes)
{
    struct reed_shard_layout layout;
    uint32_t data_shards = load_u32_le(bytes), block_size = load_u32_le(bytes + 4);
    uint64_t object_size = load_u64_le(bytes + 8);
    if (reed_shard_layout(data_shards, block_size, object_size, &layout) != REED_OK) {
        REQUIRE(layout.file_size == 0);
        return;
    }
    REQUIRE(layout.file_size < UINT64_C(1) << 63 && layout.file_size > layout.footer_offset);
    REQUIRE((layout.row_count == 0) == (object_size == 0));
}

static void check_all(const uint8_t *bytes, size_t size)
{
    check_shard(bytes, size, false);
    check_shard(bytes, size, true);
    check_block(bytes, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = take(size);
    if (size > 0) memcpy(bytes, data, size);
    check_all(bytes, size);
    if (size >= 16) check_layout(bytes);

    static const uint8_t magic[8] = {0x89, 'R', 'S', 'H', '\r', '\n', 0x1a, '\n'};
    if (size >= REED_SHARD_HEADER_SIZE) {
        memcpy(bytes, magic, sizeof magic);
        bytes[3] = data[3] & 1 ? 'H' : 'F';
        store_u32_le(bytes + 252, reed_crc32c(0, bytes, 252));
        check_all(bytes, size);
        memcpy(bytes, data, size);
    }
    if (size > REED_BLOCK_HEADER_SIZE) {
        /* A payload of what is there, whole when the fuzzer's own size is out of reach. */
        memcpy(bytes, magic, sizeof magic);
        bytes[3] = 'B';
        size_t room = size - REED_BLOCK_HEADER_SIZE;
        size_t payload = size_min(load_u32_le(bytes + 52), room);
        store_u32_le(bytes + 52, (uint32_t)payload);
        uint32_t crc = reed_crc32c(0, bytes, 60);
        crc = reed_crc32c(crc, bytes + REED_BLOCK_HEADER_SIZE, payload);
        store_u32_le(bytes + 60, crc);
        check_all(bytes, size);
    }
    free(bytes);
    return 0;
}
