/* code.c - making codes, and what can be asked of them. */
#include "code.h"

#include <stdlib.h>
#include <string.h>

#include "matrix.h"

static const struct {
    enum reed_generator generator;
    const char *name;
} generator_names[] = {
    {REED_GENERATOR_NATIVE, "native"},           {REED_GENERATOR_REPLICATION, "replication"},
    {REED_GENERATOR_ISAL_CAUCHY, "isal-cauchy"}, {REED_GENERATOR_ISAL_VAND, "isal-vand"},
    {REED_GENERATOR_VAND_INV, "vand-inv"},       {REED_GENERATOR_ZFEC, "zfec"},
    {REED_GENERATOR_KLAUSPOST, "klauspost"},     {REED_GENERATOR_EXPLICIT, "explicit"},
};

enum { GENERATOR_COUNT = sizeof generator_names / sizeof generator_names[0] };

const char *reed_version(void)
{
    return "0.1.0";
}

const char *reed_status_message(enum reed_status status)
{
    switch (status) {
    case REED_OK: return "success";
    case REED_INVALID_PARAMETER: return "an argument is out of its documented range";
    case REED_OUT_OF_MEMORY: return "out of memory";
    case REED_TOO_FEW_SHARDS: return "fewer shards are available than the operation needs";
    case REED_NOT_MDS: return "the generator would lose data at this shape";
    case REED_SINGULAR: return "these losses cannot be inverted with this generator";
    case REED_UNKNOWN_KERNEL: return "no kernel of this name is compiled in";
    case REED_UNSUPPORTED_KERNEL: return "this processor cannot run the kernel";
    case REED_UNKNOWN_GENERATOR: return "no such generator";
    case REED_MISMATCH: return "the shards do not agree with each other";
    case REED_AMBIGUOUS: return "more shards are wrong than can be located";
    case REED_TOO_COMPLEX: return "locating in this code would take too many trials";
    case REED_NOT_A_SHARD: return "not a reed shard: the magic is absent";
    case REED_TRUNCATED: return "truncated: fewer bytes than the structure needs";
    case REED_CORRUPT: return "corrupt: a checksum does not match";
    case REED_MALFORMED: return "malformed: a field is out of its range";
    case REED_UNSUPPORTED_VERSION: return "written by a newer major version of the format";
    case REED_UNSUPPORTED_FEATURE: return "uses a feature that this version does not know";
    }
    return "unknown status";
}

const char *reed_generator_name(enum reed_generator generator)
{
    for (size_t i = 0; i < GENERATOR_COUNT; i++) {
        if (generator_names[i].generator == generator) return generator_names[i].name;
    }
    return NULL;
}

enum reed_status reed_generator_find(const char *name, enum reed_generator *generator)
{
    if (name == NULL || generator == NULL) return REED_INVALID_PARAMETER;
    for (size_t i = 0; i < GENERATOR_COUNT; i++) {
        if (strcmp(generator_names[i].name, name) == 0) {
            *generator = generator_names[i].generator;
            return REED_OK;
        }
    }
    return REED_UNKNOWN_GENERATOR;
}

static void *default_allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void default_release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

struct reed_allocator allocator_or_default(const struct reed_allocator *allocator)
{
    if (allocator != NULL) return *allocator;
    return (struct reed_allocator){default_allocate, default_release, NULL};
}

enum reed_status reed_code_create(const struct reed_code_options *options, struct reed_code **code)
{
    if (code == NULL) return REED_INVALID_PARAMETER;
    *code = NULL;
    if (options == NULL || options->struct_size != sizeof *options ||
        (options->flags & ~(uint32_t)REED_ALLOW_NON_MDS) != 0) {
        return REED_INVALID_PARAMETER;
    }
    bool is_explicit = options->generator == REED_GENERATOR_EXPLICIT;
    bool has_rows = options->parity_shards > 0;
    if (is_explicit ? has_rows && options->matrix == NULL : options->matrix != NULL) {
        return REED_INVALID_PARAMETER;
    }
    enum reed_status shape =
        generator_check(options->generator, options->data_shards, options->parity_shards);
    bool allowed = options->flags & REED_ALLOW_NON_MDS;
    if (shape != REED_OK && !(shape == REED_NOT_MDS && allowed)) return shape;

    const struct reed_kernel *kernel = options->kernel;
    if (kernel == NULL) {
        enum reed_status status = reed_kernel_find(NULL, &kernel);
        if (status != REED_OK) return status;
    } else if (!kernel->is_supported()) {
        return REED_UNSUPPORTED_KERNEL;
    }

    struct reed_allocator allocator = allocator_or_default(options->allocator);
    size_t rows_size = (size_t)options->parity_shards * options->data_shards;
    struct reed_code *made = allocator_take(&allocator, sizeof *made + rows_size);
    if (made == NULL) return REED_OUT_OF_MEMORY;
    made->allocator = allocator;
    made->kernel = kernel;
    made->generator = options->generator;
    made->data_shards = options->data_shards;
    made->parity_shards = options->parity_shards;
    made->may_be_singular = is_explicit || shape == REED_NOT_MDS;
    made->encode_refused = shape == REED_NOT_MDS;
    if (!is_explicit) {
        generator_fill(options->generator, options->data_shards, options->parity_shards,
                       made->rows);
    } else if (has_rows) {
        memcpy(made->rows, options->matrix, rows_size);
    }
    *code = made;
    return REED_OK;
}

void reed_code_destroy(struct reed_code *code)
{
    if (code == NULL) return;
    struct reed_allocator allocator = code->allocator;
    allocator_give(&allocator, code);
}

uint32_t reed_code_data_shards(const struct reed_code *code)
{
    return code->data_shards;
}

uint32_t reed_code_parity_shards(const struct reed_code *code)
{
    return code->parity_shards;
}

enum reed_generator reed_code_generator(const struct reed_code *code)
{
    return code->generator;
}

const struct reed_kernel *reed_code_kernel(const struct reed_code *code)
{
    return code->kernel;
}

enum reed_status reed_code_row(const struct reed_code *code, uint32_t shard_index,
                               uint8_t *coefficients)
{
    if (code == NULL || coefficients == NULL || shard_index >= code_shard_count(code)) {
        return REED_INVALID_PARAMETER;
    }
    if (shard_index < code->data_shards) {
        memset(coefficients, 0, code->data_shards);
        coefficients[shard_index] = 1;
    } else {
        memcpy(coefficients, code_parity_row(code, shard_index), code->data_shards);
    }
    return REED_OK;
}

uint32_t reed_code_matrix_crc32c(const struct reed_code *code)
{
    return reed_crc32c(0, code->rows, (size_t)code->parity_shards * code->data_shards);
}
