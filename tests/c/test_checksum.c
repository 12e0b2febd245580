/* test_checksum.c KERNEL - CRC32C and CRC-32 on one kernel, and everything that is the same on all
 * of them: known answers, every short length at every alignment, guard pages, continuation,
 * combining, and each constant from first principles. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "check.h"
#include "kernel_argument.h"
#include "checksum.h"
#include "kernels/crc32_constants.h"
#include "kernels/crc32c_constants.h"
#include "reed.h"

static const uint64_t seed = 20240229;

/* ---- oracles ------------------------------------------------------------------------------
 * The definition, a bit at a time, and the algebra in the ordinary bit order (bit i is x^i), so
 * that nothing here shares a convention with the code under test. */

struct crc {
    const char *name;
    uint64_t polynomial; /* bit i is x^i, x^32 included */
    uint32_t (*kernel_crc)(const struct reed_kernel *kernel, uint32_t value, const void *data,
                           size_t size);
    uint32_t (*crc)(uint32_t value, const void *data, size_t size);
    uint32_t check_value; /* of "123456789" */
    const uint32_t *long_shifts;
    const struct crc_folds *folds;
    const uint32_t (*slices)[256];
};

static const struct crc crc32c = {
    "CRC32C", UINT64_C(0x11edc6f41), reed_kernel_crc32c, reed_crc32c, 0xe3069283,
    crc32c_long_shifts, &crc32c_folds, crc32c_slices,
};
static const struct crc crc32 = {
    "CRC-32", UINT64_C(0x104c11db7), reed_kernel_crc32, reed_crc32, 0xcbf43926,
    crc32_long_shifts, &crc32_folds, crc32_slices,
};

static uint32_t reflect(uint32_t value)
{
    uint32_t reflected = 0;
    for (int bit = 0; bit < 32; bit++) {
        if (value >> bit & 1) reflected |= UINT32_C(1) << (31 - bit);
    }
    return reflected;
}

static uint32_t oracle_crc(const struct crc *c, uint32_t value, const uint8_t *data, size_t size)
{
    const uint32_t reflected = reflect((uint32_t)c->polynomial);
    uint32_t crc = ~value;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ reflected : crc >> 1;
    }
    return ~crc;
}

static uint64_t oracle_multiply(const struct crc *c, uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (int bit = 31; bit >= 0; bit--) {
        product <<= 1;
        if (product >> 32) product ^= c->polynomial;
        if (b >> bit & 1) product ^= a;
    }
    return product;
}

/* x^exponent times x^(8 * bytes). */
static uint64_t oracle_power(const struct crc *c, uint64_t exponent, uint64_t bytes)
{
    uint64_t power = 1;
    for (int bit = 63; bit >= 0; bit--) {
        power = oracle_multiply(c, power, power);
        if (bytes >> bit & 1) power = oracle_multiply(c, power, UINT64_C(1) << 8);
    }
    for (uint64_t i = 0; i < exponent; i++) power = oracle_multiply(c, power, 2);
    return power;
}

static uint32_t reflected_power(const struct crc *c, uint64_t exponent)
{
    return reflect((uint32_t)oracle_power(c, exponent % 8, exponent / 8));
}

/* ---- tests ------------------------------------------------------------------------------- */

static void test_constants(const struct crc *c)
{
    CHECK(c->long_shifts[0] == reflected_power(c, 8 * CRC_LONG_STREAM), "%s long 1", c->name);
    CHECK(c->long_shifts[1] == reflected_power(c, 16 * CRC_LONG_STREAM), "%s long 2", c->name);

    const struct {
        uint64_t size;
        const uint32_t *fold;
    } folds[] = {
        {256, c->folds->by_256}, {192, c->folds->by_192}, {128, c->folds->by_128},
        {64, c->folds->by_64},   {48, c->folds->by_48},   {32, c->folds->by_32},
        {16, c->folds->by_16},
    };
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++) {
        CHECK(folds[i].fold[0] == reflected_power(c, 8 * folds[i].size + 31), "%s fold %zu",
              c->name, i);
        CHECK(folds[i].fold[1] == reflected_power(c, 8 * folds[i].size - 33), "%s fold %zu",
              c->name, i);
    }

    for (unsigned byte = 0; byte < 256; byte++) {
        for (unsigned zeros = 0; zeros < 8; zeros++) {
            uint8_t message[8] = {(uint8_t)byte};
            /* The register begins at 0 when `value` is its inversion, and ends inverted. */
            uint32_t expected = ~oracle_crc(c, ~UINT32_C(0), message, 1 + zeros);
            CHECK(c->slices[zeros][byte] == expected, "%s slice %u byte %u", c->name, zeros, byte);
        }
    }
}

/* What one of the two needs alone: headers of fragments; the crc32 instruction and combining. */
static void test_other_constants(void)
{
    static const uint8_t distances[5] = {58, 37, 36, 35, 34};
    for (unsigned byte = 0; byte < 256; byte++) {
        for (unsigned i = 0; i < 5; i++) {
            uint8_t message[59] = {(uint8_t)byte};
            CHECK(crc32_fragment_slices[i][byte] ==
                      ~oracle_crc(&crc32, ~UINT32_C(0), message, 1u + distances[i]),
                  "fragment slice %u byte %u", i, byte);
        }
    }

    CHECK(crc32_reduction[0] == (uint64_t)reflected_power(&crc32, 63) << 32, "x^63");
    for (int i = 0; i <= 32; i++) {
        CHECK((crc32_reduction[2] >> i & 1) == (crc32.polynomial >> (32 - i) & 1), "P, x^%d",
              32 - i);
    }
    /* Long division of x^96: what is left is below P when the quotient is right. */
    uint64_t left = 0;
    for (int i = 0; i <= 96; i++) {
        left = left << 1 | (i == 0);
        uint64_t digit = left >> 32;
        if (digit) left ^= crc32.polynomial;
        if (i >= 32 && i < 96) {
            CHECK((crc32_reduction[1] >> (i - 32) & 1) == digit, "quotient, x^%d", 96 - i);
        }
    }

    uint64_t power = 2;
    for (int i = 0; i < 31; i++) {
        CHECK(crc32c_powers[i] == reflect((uint32_t)power), "power %d", i);
        power = oracle_multiply(&crc32c, power, power);
    }
    CHECK(power == 2, "x^(2^31) is x: the period that the 31 powers rest on");

    const struct {
        uint64_t size;
        const uint32_t *shifts;
    } streams[] = {
        {CRC_LONG_STREAM, crc32c_long_product_shifts},
        {CRC_SHORT_STREAM, crc32c_short_product_shifts},
    };
    for (size_t i = 0; i < 2; i++) {
        for (uint64_t n = 1; n <= 2; n++) {
            CHECK(streams[i].shifts[n - 1] ==
                      reflected_power(&crc32c, 8 * n * streams[i].size - 33),
                  "stream %zu, %d", i, (int)n);
        }
    }
}

static void test_known_answers(const struct reed_kernel *kernel)
{
    /* RFC 3720 B.4, with the CRC bytes there read as a little-endian number. */
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    memset(ones, 0xff, sizeof ones);
    for (unsigned i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    static const uint8_t read_command[48] = {
        0x01, 0xc0, 0, 0, 0,    0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0,
        0x14, 0,    0, 0, 0,    0, 4, 0,    0, 0, 0, 0x14, 0,    0, 0, 0x18,
        0x28, 0,    0, 0, 0,    0, 0, 0,    2, 0, 0, 0,    0,    0, 0, 0,
    };
    CHECK(reed_kernel_crc32c(kernel, 0, zeros, 32) == 0x8a9136aa, "32 zeros");
    CHECK(reed_kernel_crc32c(kernel, 0, ones, 32) == 0x62a8ab43, "32 bytes of 0xff");
    CHECK(reed_kernel_crc32c(kernel, 0, up, 32) == 0x46dd794e, "ascending");
    CHECK(reed_kernel_crc32c(kernel, 0, down, 32) == 0x113fdb5c, "descending");
    CHECK(reed_kernel_crc32c(kernel, 0, read_command, 48) == 0xd9963a56, "iSCSI read command");
    for (int i = 0; i < 2; i++) {
        const struct crc *c = i == 0 ? &crc32c : &crc32;
        CHECK(c->kernel_crc(kernel, 0, "123456789", 9) == c->check_value, "%s check", c->name);
        CHECK(c->kernel_crc(kernel, 0x12345678, NULL, 0) == 0x12345678, "%s nothing", c->name);
        CHECK(c->crc(0, "123456789", 9) == c->check_value, "%s check, dispatched", c->name);
        CHECK(c->crc(0x12345678, NULL, 0) == 0x12345678, "%s nothing, dispatched", c->name);
    }
}

static void test_short(const struct crc *c, const struct reed_kernel *kernel)
{
    enum { LENGTH_MAX = 1024, ALIGNMENTS = 64 };
    uint64_t random = seed;
    struct guarded memory = guarded_allocate(LENGTH_MAX + ALIGNMENTS);
    random_bytes(&random, memory.begin, (size_t)(memory.end - memory.begin));

    for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
        const uint8_t *data = memory.begin + alignment;
        uint32_t expected = 0;
        for (size_t length = 0; length <= LENGTH_MAX; length++) {
            CHECK(c->kernel_crc(kernel, 0, data, length) == expected,
                  "%s length %zu alignment %zu", c->name, length, alignment);
            expected = oracle_crc(c, expected, data + length, 1);
        }
    }
    for (size_t length = 0; length <= LENGTH_MAX; length++) { /* up to the page that faults */
        const uint8_t *data = memory.end - length;
        uint32_t value = (uint32_t)random_u64(&random);
        CHECK(c->kernel_crc(kernel, value, data, length) ==
                  oracle_crc(c, value, data, length), "%s length %zu at the end", c->name, length);
    }
    guarded_release(memory);
}

static void test_long(const struct crc *c, const struct reed_kernel *kernel)
{
    enum { LENGTH_MAX = 70000 };
    uint64_t random = seed + 1;
    struct guarded memory = guarded_allocate(LENGTH_MAX);
    size_t room = (size_t)(memory.end - memory.begin);
    random_bytes(&random, memory.begin, room);
    uint32_t *prefix = malloc((room + 1) * sizeof *prefix); /* of the whole region */
    CHECK(prefix != NULL, "malloc");
    prefix[0] = 0;
    for (size_t i = 0; i < room; i++) prefix[i + 1] = oracle_crc(c, prefix[i], memory.begin + i, 1);

    /* Around the steps of every loop: vectors, streams, and a few of each. */
    static const size_t steps[] = {64, 256, 3 * CRC_SHORT_STREAM, 3 * CRC_LONG_STREAM, 4096};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        for (size_t count = 1; count <= 5; count++) {
            for (size_t length = count * steps[i] - 9; length <= count * steps[i] + 9; length++) {
                CHECK(c->kernel_crc(kernel, 0, memory.begin, length) == prefix[length],
                      "%s length %zu", c->name, length);
            }
        }
    }
    for (int trial = 0; trial < 4000; trial++) {
        /* A||B||C, continued piece by piece; C ends at the page that faults. */
        size_t a = random_below(&random, room + 1);
        size_t b = a + random_below(&random, room + 1 - a);
        uint32_t crc = c->kernel_crc(kernel, 0, memory.begin, a);
        CHECK(crc == prefix[a], "%s trial %d: 0..%zu", c->name, trial, a);
        crc = c->kernel_crc(kernel, crc, memory.begin + a, b - a);
        CHECK(crc == prefix[b], "%s trial %d: %zu..%zu", c->name, trial, a, b);
        uint32_t tail = c->kernel_crc(kernel, 0, memory.begin + b, room - b);
        CHECK(c->kernel_crc(kernel, crc, memory.begin + b, room - b) == prefix[room],
              "%s trial %d: %zu..", c->name, trial, b);
        if (c == &crc32c) {
            CHECK(reed_crc32c_combine(crc, tail, room - b) == prefix[room],
                  "trial %d: combine %zu", trial, b);
        }
    }
    free(prefix);
    guarded_release(memory);
}

static uint32_t oracle_combine(uint32_t a, uint32_t b, uint64_t size)
{
    return reflect((uint32_t)oracle_multiply(&crc32c, reflect(a),
                                             oracle_power(&crc32c, 0, size))) ^ b;
}

static void test_combine(void)
{
    uint64_t random = seed + 2;
    CHECK(reed_crc32c_combine(0x12345678, 0, 0) == 0x12345678, "nothing added");
    for (int trial = 0; trial < 4000; trial++) {
        uint32_t a = (uint32_t)random_u64(&random), b = (uint32_t)random_u64(&random);
        uint64_t size = random_u64(&random) >> random_below(&random, 64);
        if (trial < 64) size = UINT64_C(1) << trial;
        if (trial == 64) size = UINT64_MAX;
        CHECK(reed_crc32c_combine(a, b, size) == oracle_combine(a, b, size), "trial %d size %llu",
              trial, (unsigned long long)size);
        /* Associative: (A B) C = A (B C), lengths in the sum of which nothing overflows. */
        uint64_t half = size / 2;
        CHECK(reed_crc32c_combine(reed_crc32c_combine(a, b, half), a, size - half) ==
                  reed_crc32c_combine(a, reed_crc32c_combine(b, a, size - half), size),
              "trial %d", trial);
    }
}

int main(int argument_count, char **arguments)
{
    CHECK(argument_count == 2, "usage: test_checksum KERNEL");
    const struct reed_kernel *kernel = kernel_argument(arguments[1]);
    printf("seed %llu\n", (unsigned long long)seed);
    test_constants(&crc32c);
    test_constants(&crc32);
    test_other_constants();
    test_known_answers(kernel);
    test_short(&crc32c, kernel);
    test_short(&crc32, kernel);
    test_long(&crc32c, kernel);
    test_long(&crc32, kernel);
    test_combine();
    return EXIT_SUCCESS;
}
