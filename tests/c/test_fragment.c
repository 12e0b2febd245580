/* test_fragment.c KERNEL - fragments of liberasurecode: headers there and back, every cut and every
 * flipped bit between guard pages, the headers of a stripe, and the pass that copies, multiplies and
 * sums.
 * tests/test_pyeclib_differential.py compares the bytes with liberasurecode's own. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "check.h"
#include "kernel_argument.h"
#include "reed.h"

static const uint64_t seed = 20180720;

static struct reed_fragment_info random_info(uint64_t *random)
{
    struct reed_fragment_info info = {
        .segment_size = random_u64(random),
        .shard_index = (uint32_t)random_below(random, 256),
        .payload_size = 0,
        .payload_crc32 = (uint32_t)random_u64(random),
        .backend_version = (uint32_t)random_u64(random),
        .library_version = REED_FRAGMENT_LIBRARY_VERSION,
        .checksum_type = random_below(random, 2) ? REED_FRAGMENT_CRC32 : REED_FRAGMENT_UNCHECKED,
        .backend_id = (uint8_t)random_u64(random),
    };
    if (info.checksum_type == REED_FRAGMENT_UNCHECKED) info.payload_crc32 = 0;
    return info;
}

static void check_equal(const struct reed_fragment_info *a, const struct reed_fragment_info *b)
{
    CHECK(a->segment_size == b->segment_size && a->shard_index == b->shard_index &&
              a->payload_size == b->payload_size && a->payload_crc32 == b->payload_crc32 &&
              a->backend_metadata_size == b->backend_metadata_size &&
              a->backend_version == b->backend_version &&
              a->library_version == b->library_version &&
              a->checksum_type == b->checksum_type && a->backend_id == b->backend_id &&
              a->is_swapped == b->is_swapped, "fields of fragment %u", (unsigned)a->shard_index);
}

static void check_zero(const struct reed_fragment_info *info)
{
    static const struct reed_fragment_info zero;
    CHECK(memcmp(info, &zero, sizeof zero) == 0, "after an error *info is all zero");
}

static void test_there_and_back(void)
{
    enum { PAYLOAD_MAX = 200 };
    uint64_t random = seed;
    struct guarded memory = guarded_allocate(REED_FRAGMENT_HEADER_SIZE + PAYLOAD_MAX);
    for (int trial = 0; trial < 1000; trial++) {
        uint8_t fragment[REED_FRAGMENT_HEADER_SIZE + PAYLOAD_MAX];
        size_t whole = REED_FRAGMENT_HEADER_SIZE + random_below(&random, PAYLOAD_MAX + 1);
        random_bytes(&random, fragment, sizeof fragment);
        struct reed_fragment_info info = random_info(&random), found;
        info.payload_size = (uint32_t)(whole - REED_FRAGMENT_HEADER_SIZE);
        uint32_t flags = random_below(&random, 2) ? REED_FRAGMENT_LEGACY_CRC : 0;
        reed_fragment_header_write(&info, flags, fragment);
        for (size_t size = 0; size <= whole; size++) {
            uint8_t *cut = memory.end - size; /* the page behind it faults */
            memcpy(cut, fragment, size);
            enum reed_status status = reed_fragment_parse(NULL, cut, size, &found);
            if (size == whole) {
                CHECK(status == REED_OK, "trial %d", trial);
                check_equal(&info, &found);
            } else {
                CHECK(status == REED_TRUNCATED, "trial %d cut to %zu", trial, size);
                check_zero(&found);
            }
        }
    }
    guarded_release(memory);
}

static void test_every_flipped_bit(void)
{
    uint64_t random = seed + 1;
    struct reed_fragment_info info = random_info(&random), found;
    uint8_t header[REED_FRAGMENT_HEADER_SIZE];
    for (int bit = 0; bit < 8 * REED_FRAGMENT_HEADER_SIZE; bit++) {
        reed_fragment_header_write(&info, 0, header);
        header[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum reed_status status = reed_fragment_parse(NULL, header, sizeof header, &found);
        int byte = bit / 8;
        /* Nothing covers the version (but zero and very old ones mean something) and the end. */
        int is_covered = byte < 63 || (byte >= 67 && byte < 71);
        CHECK(is_covered ? status != REED_OK : status == REED_OK, "bit %d: %d", bit, (int)status);
        if (status != REED_OK) check_zero(&found);
    }
}

static void test_headers_of_a_stripe(void)
{
    enum { COUNT = 256 };
    static uint8_t together[COUNT][REED_FRAGMENT_HEADER_SIZE];
    uint64_t random = seed + 2;
    for (int trial = 0; trial < 100; trial++) {
        struct reed_fragment_info info = random_info(&random);
        uint32_t flags = trial % 4 == 0 ? REED_FRAGMENT_LEGACY_CRC : 0;
        uint32_t crc32[COUNT];
        uint8_t *headers[COUNT], alone[REED_FRAGMENT_HEADER_SIZE];
        for (int i = 0; i < COUNT; i++) {
            crc32[i] = (uint32_t)random_u64(&random);
            headers[i] = together[i];
        }
        reed_fragment_headers_write(&info, flags, crc32, COUNT, headers);
        for (uint32_t i = 0; i < COUNT; i++) {
            info.shard_index = i;
            info.payload_crc32 = crc32[i];
            reed_fragment_header_write(&info, flags, alone);
            CHECK(memcmp(alone, together[i], sizeof alone) == 0, "trial %d header %u", trial,
                  (unsigned)i);
        }
    }
}

static void test_legacy_checksum_of_a_payload(void)
{
    /* Of "a" with the signed register: the first byte's shift brings 24 ones down, not zeros. */
    struct reed_fragment_info info = {.payload_size = 1, .payload_crc32 = reed_crc32(0, "a", 1)};
    const uint8_t payload[1] = {'a'};
    CHECK(reed_fragment_crc32_matches(&info, reed_crc32(0, payload, 1), payload), "today's");
    for (int bit = 0; bit < 32; bit++) {
        uint32_t wrong = reed_crc32(0, payload, 1) ^ UINT32_C(1) << bit;
        CHECK(!reed_fragment_crc32_matches(&info, wrong, payload), "wrong in bit %d", bit);
    }
    /* ~(T[(0xff ^ 'a')] ^ 0xffffffff) with T[x ^ 0xff] from today's: T = ~crc ^ 0x00ffffff. */
    uint32_t entry = ~info.payload_crc32 ^ 0x00ffffff;
    info.payload_crc32 = ~(entry ^ 0xffffffff);
    CHECK(reed_fragment_crc32_matches(&info, 0, payload), "the old one");
}

static void test_one_pass(const struct reed_kernel *kernel)
{
    /* 87,360 columns are one slice of fragment.c. */
    enum { K = 5, M = 3, SIZE_MAX_TESTED = 180000 };
    static uint8_t sources[K][SIZE_MAX_TESTED], copies[K][SIZE_MAX_TESTED];
    static uint8_t targets[M][SIZE_MAX_TESTED], expected[M][SIZE_MAX_TESTED];
    static const size_t sizes[] = {0, 1, 63, 64, 65, 255, 256, 257, 410, 511, 4096, 87360, 87361,
                                  174720, 174783, SIZE_MAX_TESTED};
    uint64_t random = seed + 3;
    struct reed_code_options options = {.struct_size = sizeof options, .data_shards = K,
                                        .parity_shards = M, .kernel = kernel};
    struct reed_code *code;
    struct reed_plan *plan;
    CHECK(reed_generator_find("native", &options.generator) == REED_OK, "generator");
    CHECK(reed_code_create(&options, &code) == REED_OK, "code");
    CHECK(reed_plan_create_encode(code, &plan) == REED_OK, "plan");
    void *scratch = malloc(reed_plan_apply_scratch_size(plan) + 1);
    CHECK(scratch != NULL, "malloc");
    random_bytes(&random, sources[0], sizeof sources);
    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        const uint8_t *in[K];
        uint8_t *copy[K], *out[M], *wanted[M];
        uint32_t source_crc32[K], target_crc32[M];
        for (int i = 0; i < K; i++) {
            in[i] = sources[i];
            copy[i] = i == 2 ? NULL : copies[i];
        }
        for (int i = 0; i < M; i++) {
            out[i] = targets[i];
            wanted[i] = expected[i];
        }
        memset(copies, 0xa5, sizeof copies);
        memset(targets, 0xa5, sizeof targets);
        CHECK(reed_fragments_apply(kernel, plan, in, K, copy, out, sizes[n], source_crc32,
                                   target_crc32, scratch) == REED_OK, "size %zu", sizes[n]);
        CHECK(reed_plan_apply(plan, in, wanted, 0, sizes[n], scratch) == REED_OK, "apply");
        for (int i = 0; i < K; i++) {
            CHECK(source_crc32[i] == reed_crc32(0, sources[i], sizes[n]), "source %d", i);
            size_t copied = copy[i] == NULL ? 0 : sizes[n];
            CHECK(memcmp(copies[i], sources[i], copied) == 0, "copy %d", i);
            for (size_t at = copied; at < SIZE_MAX_TESTED; at++) {
                CHECK(copies[i][at] == 0xa5, "copy %d byte %zu was not asked for", i, at);
            }
        }
        for (int i = 0; i < M; i++) {
            CHECK(memcmp(targets[i], expected[i], sizes[n]) == 0, "target %d", i);
            CHECK(target_crc32[i] == reed_crc32(0, expected[i], sizes[n]), "target %d", i);
            for (size_t at = sizes[n]; at < SIZE_MAX_TESTED; at++) {
                CHECK(targets[i][at] == 0xa5, "target %d byte %zu", i, at);
            }
        }
        CHECK(reed_fragments_apply(kernel, plan, in, K - 1, copy, out, sizes[n], NULL, NULL,
                                   scratch) == REED_INVALID_PARAMETER, "too few sources");
    }
    free(scratch);
    reed_plan_destroy(plan);
    reed_code_destroy(code);
}

/* Refused, and nothing was written. */
static void test_refused_passes(const struct reed_kernel *kernel)
{
    enum { K = 64, M = 64, SIZE = 100 };
    static uint8_t payloads[K][SIZE], copies[K][SIZE], targets[M][SIZE];
    const uint8_t *in[K];
    uint8_t *copy[K], *out[M];
    uint32_t source_crc32[K];
    struct reed_code_options options = {.struct_size = sizeof options, .data_shards = K,
                                        .parity_shards = M, .kernel = kernel};
    struct reed_code *code;
    struct reed_plan *plan, *update;
    const uint32_t parity = K;
    CHECK(reed_generator_find("native", &options.generator) == REED_OK, "generator");
    CHECK(reed_code_create(&options, &code) == REED_OK, "code");
    CHECK(reed_plan_create_encode(code, &plan) == REED_OK, "plan");
    CHECK(reed_plan_create_update(code, 0, &parity, 1, &update) == REED_OK, "update");
    size_t scratch_size = reed_plan_apply_scratch_size(plan);
    void *scratch = malloc(scratch_size);
    CHECK(scratch_size > 0 && scratch != NULL, "%zu bytes of scratch", scratch_size);
    for (int i = 0; i < K; i++) {
        memset(payloads[i], i + 1, SIZE);
        in[i] = payloads[i];
        copy[i] = copies[i];
        out[i] = targets[i];
        source_crc32[i] = 7;
    }
    enum reed_status without_scratch = reed_fragments_apply(kernel, plan, in, K, copy, out, SIZE,
                                                            source_crc32, NULL, NULL);
    enum reed_status without_targets = reed_fragments_apply(kernel, plan, in, K, copy, NULL, SIZE,
                                                            source_crc32, NULL, scratch);
    enum reed_status adding = reed_fragments_apply(kernel, update, in, K, copy, out, SIZE,
                                                   source_crc32, NULL, scratch);
    CHECK(without_scratch == REED_INVALID_PARAMETER, "no scratch");
    CHECK(without_targets == REED_INVALID_PARAMETER, "no targets");
    CHECK(adding == REED_INVALID_PARAMETER, "a plan that adds");
    for (int i = 0; i < K; i++) {
        CHECK(source_crc32[i] == 7, "checksum %d", i);
        for (int at = 0; at < SIZE; at++) {
            CHECK(copies[i][at] == 0 && targets[i][at] == 0, "shard %d byte %d", i, at);
        }
    }
    free(scratch);
    reed_plan_destroy(update);
    reed_plan_destroy(plan);
    reed_code_destroy(code);
}

int main(int argument_count, char **arguments)
{
    CHECK(argument_count == 2, "usage: test_fragment KERNEL");
    const struct reed_kernel *kernel = kernel_argument(arguments[1]);
    printf("seed %llu\n", (unsigned long long)seed);
    test_there_and_back();
    test_every_flipped_bit();
    test_headers_of_a_stripe();
    test_legacy_checksum_of_a_payload();
    test_one_pass(kernel);
    test_refused_passes(kernel);
    return EXIT_SUCCESS;
}
