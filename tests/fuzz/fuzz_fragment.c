/* fuzz_fragment.c - libFuzzer target for fragments of liberasurecode, as hostile as they can be.
 *
 *     clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined \
 *         -fno-sanitize=null,alignment,object-size,pointer-overflow -Icsrc -Icsrc/include \
 *         tests/fuzz/fuzz_fragment.c $(find csrc -name '*.c' -not -path '*isal*') -o fuzz_fragment
 *     ./fuzz_fragment -max_len=2048 corpus
 *
 * The input is parsed as it is, and again behind a right magic, length and checksum, in both byte
 * orders. Then it chooses a stripe of fragments, damages them, and a segment is read from what is
 * left. Properties: no access outside exactly sized fragments; nothing is left in the output after
 * an error; what parses is written again as the same metadata; all kernels agree; every damage of
 * one byte is found, so that what is made of the verified fragments is what was encoded. */
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "fuzz.h"
#include "reed.h"

enum { SHARDS = 24, HEADER = REED_FRAGMENT_HEADER_SIZE, PAYLOAD_MAX = 700 };

/* Where things lie in a header: docs/compat.md. */
enum { PAYLOAD_SIZE_AT = 4, MAGIC_AT = 59, VERSION_AT = 63, CRC_AT = 67 };

/* ---- one header ------------------------------------------------------------------------------ */

static bool all_zero(const struct reed_fragment_info *info)
{
    static const struct reed_fragment_info zero;
    return memcmp(info, &zero, sizeof zero) == 0;
}

/* Bit by bit, so that nothing is shared with the code under test. */
static uint32_t slow_crc32(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static void swap_field(uint8_t *bytes, size_t begin, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        uint8_t byte = bytes[begin + i];
        bytes[begin + i] = bytes[begin + size - 1 - i];
        bytes[begin + size - 1 - i] = byte;
    }
}

static enum reed_status parse(const uint8_t *bytes, size_t size, struct reed_fragment_info *info)
{
    memset(info, 0xa5, sizeof *info);
    enum reed_status status = reed_fragment_parse(NULL, bytes, size, info);
    for (size_t i = 0; reed_kernel_at(i) != NULL; i++) {
        struct reed_fragment_info other;
        if (!reed_kernel_is_supported(reed_kernel_at(i))) continue;
        REQUIRE(reed_fragment_parse(reed_kernel_at(i), bytes, size, &other) == status);
        REQUIRE(memcmp(&other, info, sizeof other) == 0);
    }
    return status;
}

static void check_header(const uint8_t *bytes, size_t size)
{
    struct reed_fragment_info info, again;
    enum reed_status status = parse(bytes, size, &info);
    if (status != REED_OK) {
        REQUIRE(status == REED_TRUNCATED || status == REED_NOT_A_SHARD || status == REED_CORRUPT ||
                status == REED_MALFORMED);
        REQUIRE(all_zero(&info));
        return;
    }
    REQUIRE((uint64_t)info.payload_size + info.backend_metadata_size == size - HEADER);
    int matches = reed_fragment_crc32_matches(
        &info, reed_crc32(0, bytes + HEADER, info.payload_size), bytes + HEADER);
    uint32_t slow = slow_crc32(bytes + HEADER, info.payload_size);
    REQUIRE(matches || info.payload_crc32 != slow);

    /* Written by reed: little-endian, nothing of a backend's own, no second half of a checksum. */
    uint8_t header[HEADER];
    info.backend_metadata_size = 0;
    if (info.checksum_type != REED_FRAGMENT_CRC32) info.payload_crc32 = 0;
    reed_fragment_header_write(&info, 0, header);
    uint8_t *whole = take(HEADER + (size_t)info.payload_size);
    memcpy(whole, header, HEADER);
    memcpy(whole + HEADER, bytes + HEADER, info.payload_size);
    REQUIRE(parse(whole, HEADER + (size_t)info.payload_size, &again) == REED_OK);
    info.is_swapped = 0;
    REQUIRE(memcmp(&again, &info, sizeof info) == 0);
    free(whole);
}

/* The fuzzer's metadata with what a parser asks for first, in both byte orders, which say the
 * same. */
static void check_plausible(const uint8_t *data, size_t size)
{
    static const uint8_t fields[][2] = {
        {0, 4},  {PAYLOAD_SIZE_AT, 4}, {8, 4},        {12, 8},
        {21, 4}, {55, 4},              {MAGIC_AT, 4}, {VERSION_AT, 4},
    };
    struct reed_fragment_info info, swapped;
    if (size < HEADER) return;
    uint8_t *bytes = take(size);
    memcpy(bytes, data, size);
    store_u32_le(bytes + MAGIC_AT, UINT32_C(0x0b0c5ecc));
    if (data[VERSION_AT] & 1) store_u32_le(bytes + VERSION_AT, REED_FRAGMENT_LIBRARY_VERSION);
    if (data[VERSION_AT] & 2) {
        store_u32_le(bytes + PAYLOAD_SIZE_AT, (uint32_t)(size - HEADER));
        store_u32_le(bytes + PAYLOAD_SIZE_AT + 4, 0);
    }
    store_u32_le(bytes + CRC_AT, slow_crc32(bytes, REED_FRAGMENT_METADATA_SIZE));
    enum reed_status status = parse(bytes, size, &info);
    REQUIRE(status == REED_OK || (data[VERSION_AT] & 3) != 3);
    check_header(bytes, size);

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        swap_field(bytes, fields[i][0], fields[i][1]);
    }
    store_u32_le(bytes + CRC_AT, slow_crc32(bytes, REED_FRAGMENT_METADATA_SIZE));
    swap_field(bytes, CRC_AT, 4);
    REQUIRE(parse(bytes, size, &swapped) == status);
    REQUIRE(swapped.is_swapped == (status == REED_OK));
    swapped.is_swapped = 0;
    REQUIRE(memcmp(&swapped, &info, sizeof info) == 0);
    check_header(bytes, size);
    free(bytes);
}

/* ---- a stripe -------------------------------------------------------------------------------- */

struct stripe {
    struct reed_code *code;
    const struct reed_kernel *kernel;
    uint32_t data_shards, shard_count, payload_size;
    uint8_t *fragments[SHARDS];
    size_t sizes[SHARDS];
    uint8_t *segment; /* the data payloads, with their padding */
};

static void apply(const struct stripe *stripe, const struct reed_plan *plan,
                  const uint8_t *const *sources, size_t source_count, uint8_t *const *copies,
                  uint8_t *const *targets, uint32_t *source_crc32, uint32_t *target_crc32)
{
    void *scratch = take(plan == NULL ? 0 : reed_plan_apply_scratch_size(plan));
    REQUIRE(reed_fragments_apply(stripe->kernel, plan, sources, source_count, copies, targets,
                                 stripe->payload_size, source_crc32, target_crc32, scratch) ==
            REED_OK);
    free(scratch);
}

static void encode(struct stripe *stripe, struct input *input)
{
    const uint8_t *sources[SHARDS];
    uint8_t *rows[SHARDS];
    uint32_t crc32[SHARDS], k = stripe->data_shards, size = stripe->payload_size;
    struct reed_plan *plan;
    uint32_t state = next(input) * 2 + 1;
    for (size_t i = 0; i < (size_t)k * size; i++) {
        state = state * 1664525 + 1013904223;
        stripe->segment[i] = (uint8_t)(state >> 24);
    }
    for (uint32_t i = 0; i < stripe->shard_count; i++) {
        stripe->sizes[i] = HEADER + size;
        stripe->fragments[i] = take(stripe->sizes[i]);
        rows[i] = stripe->fragments[i] + HEADER;
        if (i < k) sources[i] = stripe->segment + (size_t)i * size;
    }
    REQUIRE(reed_plan_create_encode(stripe->code, &plan) == REED_OK);
    apply(stripe, plan, sources, k, rows, rows + k, crc32, crc32 + k);
    reed_plan_destroy(plan);
    struct reed_fragment_info info = {
        .segment_size = (uint64_t)k * size, .payload_size = size, .backend_id = 7,
        .checksum_type = REED_FRAGMENT_CRC32, .library_version = REED_FRAGMENT_LIBRARY_VERSION};
    reed_fragment_headers_write(&info, next(input) % 2 ? REED_FRAGMENT_LEGACY_CRC : 0, crc32,
                                stripe->shard_count, stripe->fragments);
    for (uint32_t i = 0; i < stripe->shard_count; i++) {
        REQUIRE(crc32[i] == slow_crc32(rows[i], size));
    }
}

/* One byte changed, the end cut off or something behind it; or left alone. */
static void damage(struct stripe *stripe, uint32_t i, struct input *input)
{
    unsigned fate = next(input) % 8;
    size_t size = stripe->sizes[i];
    if (fate == 0) {
        stripe->fragments[i][next_below(input, (unsigned)size)] ^= (uint8_t)next(input);
    } else if (fate == 1 || fate == 2) {
        size_t changed = fate == 1 ? next_below(input, (unsigned)size)
                                   : size + 1 + next_below(input, 32);
        uint8_t *fragment = take(changed);
        memset(fragment, 0, changed);
        memcpy(fragment, stripe->fragments[i], changed < size ? changed : size);
        free(stripe->fragments[i]);
        stripe->fragments[i] = fragment;
        stripe->sizes[i] = changed;
    }
}

/* Which fragments' headers are whole and fit the stripe; reed.h says what a reader must check. */
static bool is_usable(const struct stripe *stripe, uint32_t position)
{
    struct reed_fragment_info info;
    if (parse(stripe->fragments[position], stripe->sizes[position], &info) != REED_OK) return false;
    /* One damaged byte leaves no other header whole. */
    REQUIRE(info.shard_index == position && info.payload_size == stripe->payload_size &&
            info.segment_size == (uint64_t)stripe->data_shards * stripe->payload_size &&
            info.checksum_type == REED_FRAGMENT_CRC32 && info.backend_id == 7);
    return true;
}

/* Reads the segment from usable fragments: one pass, then those whose payload was wrong are left
 * out and it is tried again. */
static void read_segment(const struct stripe *stripe, struct input *input)
{
    bool usable[SHARDS];
    uint32_t k = stripe->data_shards, size = stripe->payload_size, usable_count = 0;
    for (uint32_t i = 0; i < stripe->shard_count; i++) {
        usable[i] = is_usable(stripe, i) && next(input) % 4 > 0;
        usable_count += usable[i];
    }
    uint8_t *segment = take((size_t)k * size);
    for (bool is_whole = false; !is_whole && usable_count >= k;) {
        uint32_t available[SHARDS], wanted[SHARDS], crc32[SHARDS], from[SHARDS];
        size_t available_count = 0, wanted_count = 0;
        const uint8_t *sources[SHARDS];
        uint8_t *copies[SHARDS], *targets[SHARDS];
        struct reed_plan *plan;
        for (uint32_t i = 0; i < stripe->shard_count; i++) {
            if (usable[i]) {
                available[available_count++] = i;
            } else if (i < k) {
                wanted[wanted_count++] = i;
            }
        }
        memset(segment, 0xa5, (size_t)k * size);
        REQUIRE(reed_plan_create_reconstruct(stripe->code, available, available_count, wanted,
                                             wanted_count, &plan) == REED_OK);
        size_t source_count = 0;
        for (size_t i = 0; i < available_count; i++) {
            /* The k lowest: those of the plan where something is missing. */
            if (source_count == k) break;
            from[source_count++] = available[i];
        }
        for (size_t s = 0; s < source_count; s++) {
            if (s < reed_plan_source_count(plan)) REQUIRE(from[s] == reed_plan_source(plan, s));
            sources[s] = stripe->fragments[from[s]] + HEADER;
            copies[s] = from[s] < k ? segment + (size_t)from[s] * size : NULL;
        }
        for (size_t t = 0; t < wanted_count; t++) {
            targets[t] = segment + (size_t)wanted[t] * size;
        }
        apply(stripe, plan, sources, source_count, copies, targets, crc32, NULL);
        reed_plan_destroy(plan);
        is_whole = true;
        for (size_t s = 0; s < source_count; s++) {
            struct reed_fragment_info info;
            REQUIRE(parse(stripe->fragments[from[s]], stripe->sizes[from[s]], &info) == REED_OK);
            if (!reed_fragment_crc32_matches(&info, crc32[s], sources[s])) {
                usable[from[s]] = is_whole = false;
                usable_count--;
            }
        }
        if (is_whole) REQUIRE(memcmp(segment, stripe->segment, (size_t)k * size) == 0);
    }
    free(segment);
}

static void check_stripe(struct input *input)
{
    static const enum reed_generator generators[] = {
        REED_GENERATOR_ISAL_CAUCHY, REED_GENERATOR_VAND_INV, REED_GENERATOR_NATIVE};
    struct reed_code_options options = {.struct_size = sizeof options};
    options.generator = generators[next_below(input, 3)];
    options.data_shards = 1 + next_below(input, SHARDS / 2);
    options.parity_shards = next_below(input, SHARDS / 2);
    size_t kernel_count = 0;
    while (reed_kernel_at(kernel_count) != NULL) kernel_count++;
    const struct reed_kernel *kernel = reed_kernel_at(next(input) % kernel_count);
    if (!reed_kernel_is_supported(kernel)) return;
    options.kernel = kernel;
    struct stripe stripe = {.kernel = kernel,
                            .data_shards = options.data_shards,
                            .shard_count = options.data_shards + options.parity_shards,
                            .payload_size = next_below(input, PAYLOAD_MAX)};
    REQUIRE(reed_code_create(&options, &stripe.code) == REED_OK);
    stripe.segment = take((size_t)stripe.data_shards * stripe.payload_size);
    encode(&stripe, input);
    for (uint32_t i = 0; i < stripe.shard_count; i++) damage(&stripe, i, input);
    read_segment(&stripe, input);
    for (uint32_t i = 0; i < stripe.shard_count; i++) free(stripe.fragments[i]);
    free(stripe.segment);
    reed_code_destroy(stripe.code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = take(size);
    if (size > 0) memcpy(bytes, data, size);
    check_header(bytes, size);
    check_plausible(bytes, size);
    struct input input = {bytes, size};
    check_stripe(&input);
    free(bytes);
    return 0;
}
