/* locate.c - finding wrong shards without checksums: bounded-distance decoding, column by column.
 *
 * Most columns of most stripes are clean, and most wrong columns are wrong in shards that are known
 * to be wrong already. So whole ranges are compared by plans that leave the known ones out, at the
 * speed of encoding, and only the first column that still disagrees goes through the decoder. */
#include <stdbool.h>
#include <string.h>

#include "code.h"
#include "field.h"
#include "matrix.h"
#include "plan.h"
#include "size.h"

enum { LOCATE_TRIALS_MAX = 1 << 20 };

/* A plan that makes some given shards from others, with the scratch to compare them. */
struct comparison {
    struct reed_plan *plan;
    void *scratch;
};

struct locator {
    const struct reed_code *code;
    const uint32_t *given;         /* shard indices, ascending */
    const uint8_t *const *shards;  /* in the same order */
    size_t given_count;
    size_t check_count;            /* given_count - data_shards: syndromes of a column */
    size_t error_limit;            /* floor(check_count / 2) */
    struct comparison all;         /* first data_shards given -> the other given */
    bool is_grs;
    bool is_wrong[REED_SHARDS_MAX];   /* by position in `given` */
    size_t wrong_count;
    uint8_t points[REED_SHARDS_MAX];  /* of the given shards, by position */
    uint8_t *syndrome_map;            /* grs: check_count x check_count; see prepare_grs */
    uint8_t *check_columns;           /* search: given_count x check_count */
    const uint8_t *sources[REED_SHARDS_MAX]; /* pointer arrays for plans */
    const uint8_t *targets[REED_SHARDS_MAX];
};

/* ---- one column of a generalised Reed-Solomon code -------------------------------------------
 *
 * With dual multipliers u_i = 1 / (v_i prod_{j != i} (x_i - x_j)) over the given shards, the power
 * sums S_l = sum_i u_i x_i^l y_i vanish for codewords, l < check_count (MacWilliams and Sloane,
 * chapter 12, theorem 4). Taking from y the codeword that the sources determine leaves only the
 * differences d at the other given shards: S = map d. */
static void prepare_grs(struct locator *l, const uint8_t *all_points, const uint8_t *multipliers)
{
    size_t k = l->code->data_shards, r = l->check_count;
    for (size_t i = 0; i < l->given_count; i++) l->points[i] = all_points[l->given[i]];
    for (size_t c = 0; c < r; c++) {
        uint8_t x = l->points[k + c];
        uint8_t product = multipliers[l->given[k + c]];
        for (size_t j = 0; j < l->given_count; j++) {
            if (j != k + c) product = gf256_multiply(product, x ^ l->points[j]);
        }
        uint8_t power = gf256_inverse(product);
        for (size_t row = 0; row < r; row++) {
            l->syndrome_map[row * r + c] = power;
            power = gf256_multiply(power, x);
        }
    }
}

/* Berlekamp-Massey (Massey 1969): the shortest recurrence sum_{i<=L} c[i] s[n - i] = 0, c[0] = 1.
 * Returns L. A zero locator needs no care: L counts it although c[L] is then 0. */
static size_t shortest_recurrence(const uint8_t *s, size_t count, uint8_t *c)
{
    uint8_t previous[REED_SHARDS_MAX + 1] = {1}, kept[REED_SHARDS_MAX + 1];
    memset(c, 0, count + 1);
    c[0] = 1;
    size_t length = 0, shift = 1;
    uint8_t previous_discrepancy = 1;
    for (size_t n = 0; n < count; n++, shift++) {
        uint8_t discrepancy = 0;
        for (size_t i = 0; i <= length; i++) discrepancy ^= gf256_multiply(c[i], s[n - i]);
        if (discrepancy == 0) continue;
        uint8_t factor = gf256_divide(discrepancy, previous_discrepancy);
        bool grows = 2 * length <= n;
        if (grows) memcpy(kept, c, count + 1);
        for (size_t i = 0; i + shift <= count; i++) {
            c[i + shift] ^= gf256_multiply(factor, previous[i]);
        }
        if (grows) {
            memcpy(previous, kept, count + 1);
            previous_discrepancy = discrepancy;
            length = n + 1 - length;
            shift = 0;
        }
    }
    return length;
}

/* Marks the wrong shards of one column in `found` (positions); false when it does not decode. */
static bool decode_grs(const struct locator *l, const uint8_t *differences, bool *found)
{
    size_t r = l->check_count;
    uint8_t syndromes[REED_SHARDS_MAX], recurrence[REED_SHARDS_MAX + 1];
    memset(syndromes, 0, r);
    for (size_t row = 0; row < r; row++) {
        for (size_t c = 0; c < r; c++) {
            syndromes[row] ^= gf256_multiply(l->syndrome_map[row * r + c], differences[c]);
        }
    }
    size_t error_count = shortest_recurrence(syndromes, r, recurrence);
    if (error_count > l->error_limit) return false;
    /* Locators are the roots of x^L + c[1] x^(L-1) + ... + c[L]; all of them must be given shards.
     * The recurrence then holds for all r >= 2 L syndromes, so the errors explain the column. */
    size_t root_count = 0;
    for (size_t i = 0; i < l->given_count; i++) {
        uint8_t value = 0;
        for (size_t j = 0; j <= error_count; j++) {
            value = gf256_multiply(value, l->points[i]) ^ recurrence[j];
        }
        found[i] = value == 0;
        root_count += value == 0;
    }
    return root_count == error_count;
}

/* ---- one column of any other code --------------------------------------------------------------
 *
 * The differences of a column are the sum of check columns of the wrong shards, scaled by their
 * errors: a unit vector for a compared shard, a column of coefficients for a source. The sets of
 * columns that span the differences are sought by size. An MDS code has one within the limit; where
 * a caller's own matrix has more, each could be the truth and none is named. */
static bool trials_allowed(size_t given_count, size_t error_limit)
{
    uint64_t combinations = 1, total = 0;
    for (size_t i = 1; i <= error_limit; i++) {
        combinations = combinations * (given_count - i + 1) / i;
        total += combinations;
        if (total > LOCATE_TRIALS_MAX) return false;
    }
    return true;
}

/* The coefficients of the plan, read off by applying it to the identity. */
static enum reed_status prepare_search(struct locator *l)
{
    size_t k = l->code->data_shards, r = l->check_count;
    size_t identity_size = k * k, product_size = r * k;
    uint8_t *memory = allocator_take(&l->code->allocator, identity_size + product_size);
    if (memory == NULL) return REED_OUT_OF_MEMORY;
    memset(memory, 0, identity_size);
    uint8_t *product[REED_SHARDS_MAX];
    for (size_t j = 0; j < k; j++) memory[j * k + j] = 1;
    for (uint32_t s = 0, j = 0; s < reed_plan_source_count(l->all.plan); s++, j++) {
        while (l->given[j] != reed_plan_source(l->all.plan, s)) j++;
        l->sources[s] = memory + j * k;
    }
    for (size_t c = 0; c < r; c++) product[c] = memory + identity_size + c * k;
    enum reed_status status = reed_plan_apply(l->all.plan, l->sources, product, 0, k,
                                              l->all.scratch);
    memset(l->check_columns, 0, l->given_count * r);
    for (size_t c = 0; c < r; c++) {
        for (size_t j = 0; j < k; j++) l->check_columns[j * r + c] = product[c][j];
        l->check_columns[(k + c) * r + c] = 1;
    }
    allocator_give(&l->code->allocator, memory);
    return status;
}

/* A search for the sets of shards that explain a column. */
struct search {
    const struct locator *locator;
    struct row_basis basis;         /* the check columns of `chosen`, reduced */
    bool chosen[REED_SHARDS_MAX];
    bool found[REED_SHARDS_MAX];    /* the first explanation */
    size_t found_count;             /* explanations; the search ends at the second */
};

/* The chosen columns are independent, so they explain in one way only: with the first explanation
 * among them it is that one, and the other columns have no part in it. */
static void count_explanation(struct search *search)
{
    bool is_new = search->found_count == 0;
    for (size_t i = 0; i < search->locator->given_count; i++) {
        is_new |= search->found[i] && !search->chosen[i];
    }
    if (!is_new) return;
    if (search->found_count++ == 0) memcpy(search->found, search->chosen, sizeof search->found);
}

/* Depth-first over sets of `size` more shards with ascending positions from `start`; `rest` is what
 * the chosen columns leave of the differences. */
static void search_from(struct search *search, size_t size, size_t start, const uint8_t *rest)
{
    const struct locator *l = search->locator;
    size_t r = l->check_count;
    size_t nonzero = 0;
    while (nonzero < r && rest[nonzero] == 0) nonzero++;
    if (nonzero == r) {
        if (size == 0) count_explanation(search);
        return;
    }
    if (size == 0) return;
    uint8_t column[REED_SHARDS_MAX], reduced[REED_SHARDS_MAX];
    for (size_t i = start; i < l->given_count && search->found_count < 2; i++) {
        memcpy(column, l->check_columns + i * r, r);
        if (!row_basis_add(&search->basis, column)) continue;
        memcpy(reduced, rest, r);
        size_t last = search->basis.rank - 1;
        row_add_scaled(reduced, search->basis.echelon + last * r,
                       reduced[search->basis.pivots[last]], r);
        search->chosen[i] = true;
        search_from(search, size - 1, i + 1, reduced);
        search->chosen[i] = false;
        search->basis.rank--;
    }
}

static bool decode_search(const struct locator *l, const uint8_t *differences, bool *found)
{
    /* error_limit rows of check_count; LOCATE_TRIALS_MAX keeps the product below this. */
    uint8_t echelon[REED_SHARDS_MAX * 32];
    size_t pivots[REED_SHARDS_MAX];
    bool is_unique = l->code->generator != REED_GENERATOR_EXPLICIT; /* the others are MDS */
    struct search search = {
        .locator = l,
        .basis = {.width = l->check_count, .echelon = echelon, .pivots = pivots},
    };
    for (size_t size = 1; size <= l->error_limit; size++) {
        search_from(&search, size, 0, differences);
        if (search.found_count > 1 || (search.found_count == 1 && is_unique)) break;
    }
    memcpy(found, search.found, sizeof search.found);
    return search.found_count == 1;
}

/* ---- the stripe ------------------------------------------------------------------------------ */

/* Compares from *column on; the shards' positions in `given` are looked up. */
static enum reed_status compare_from(struct locator *l, const struct comparison *comparison,
                                     size_t shard_size, size_t *column)
{
    const struct reed_plan *plan = comparison->plan;
    size_t position = 0;
    for (uint32_t s = 0; s < reed_plan_source_count(plan); s++) {
        while (l->given[position] != reed_plan_source(plan, s)) position++;
        l->sources[s] = l->shards[position];
    }
    position = 0;
    for (uint32_t t = 0; t < reed_plan_target_count(plan); t++) {
        while (l->given[position] != reed_plan_target(plan, t)) position++;
        l->targets[t] = l->shards[position];
    }
    return reed_plan_compare(plan, l->sources, l->targets, *column, shard_size,
                             comparison->scratch, column);
}

static void destroy_comparison(const struct locator *l, struct comparison *comparison)
{
    allocator_give(&l->code->allocator, comparison->scratch);
    reed_plan_destroy(comparison->plan);
    *comparison = (struct comparison){NULL, NULL};
}

/* The given shards that are not known to be wrong: the first data_shards of them make the rest. */
static enum reed_status create_comparison(const struct locator *l, struct comparison *comparison)
{
    uint32_t trusted[REED_SHARDS_MAX];
    size_t count = 0, k = l->code->data_shards;
    for (size_t i = 0; i < l->given_count; i++) {
        if (!l->is_wrong[i]) trusted[count++] = l->given[i];
    }
    enum reed_status status = reed_plan_create_reconstruct(l->code, trusted, k, trusted + k,
                                                           count - k, &comparison->plan);
    if (status != REED_OK) return status;
    comparison->scratch = allocator_take(&l->code->allocator,
                                         reed_plan_compare_scratch_size(comparison->plan));
    if (comparison->scratch != NULL) return REED_OK;
    destroy_comparison(l, comparison);
    return REED_OUT_OF_MEMORY;
}

static enum reed_status decode_column(struct locator *l, size_t column)
{
    size_t k = l->code->data_shards;
    uint8_t differences[REED_SHARDS_MAX];
    uint8_t *targets[REED_SHARDS_MAX];
    for (size_t j = 0, position = 0; j < reed_plan_source_count(l->all.plan); j++, position++) {
        while (l->given[position] != reed_plan_source(l->all.plan, (uint32_t)j)) position++;
        l->sources[j] = l->shards[position] + column;
    }
    for (size_t c = 0; c < l->check_count; c++) targets[c] = differences + c;
    enum reed_status status = reed_plan_apply(l->all.plan, l->sources, targets, 0, 1,
                                              l->all.scratch);
    if (status != REED_OK) return status;
    for (size_t c = 0; c < l->check_count; c++) differences[c] ^= l->shards[k + c][column];

    bool found[REED_SHARDS_MAX] = {false};
    bool decoded = l->is_grs ? decode_grs(l, differences, found)
                             : decode_search(l, differences, found);
    if (!decoded) return REED_AMBIGUOUS;
    for (size_t i = 0; i < l->given_count; i++) {
        if (found[i] && !l->is_wrong[i]) {
            l->is_wrong[i] = true;
            l->wrong_count++;
        }
    }
    return REED_OK;
}

/* While at most error_limit shards are known to be wrong, agreement of the others proves that a
 * column has no further error: a codeword within error_limit of the column is unique. With more
 * known ones each disagreeing column is decoded. */
static enum reed_status locate_columns(struct locator *l, size_t shard_size, size_t *column)
{
    struct comparison trusted = {NULL, NULL};
    size_t trusted_without = 0; /* how many known wrong shards `trusted` leaves out */
    enum reed_status status = REED_OK;
    size_t next = 0;
    while (next < shard_size) {
        if (l->wrong_count <= l->error_limit && trusted_without < l->wrong_count) {
            destroy_comparison(l, &trusted);
            status = create_comparison(l, &trusted);
            if (status != REED_OK) break;
            trusted_without = l->wrong_count;
        }
        bool use_trusted = trusted.plan != NULL && l->wrong_count <= l->error_limit;
        status = compare_from(l, use_trusted ? &trusted : &l->all, shard_size, &next);
        if (status != REED_MISMATCH) break;
        *column = next;
        status = decode_column(l, next);
        if (status != REED_OK) break;
        next++;
    }
    destroy_comparison(l, &trusted);
    return status;
}

/* `memory`: given_count x check_count bytes. */
static enum reed_status locator_prepare(struct locator *l, uint8_t *memory)
{
    uint8_t points[REED_SHARDS_MAX], multipliers[REED_SHARDS_MAX];
    const struct reed_code *code = l->code;
    l->is_grs = generator_points(code->generator, code->data_shards, code->parity_shards, points,
                                 multipliers);
    l->syndrome_map = l->check_columns = memory;
    if (l->is_grs) {
        prepare_grs(l, points, multipliers);
        return REED_OK;
    }
    if (!trials_allowed(l->given_count, l->error_limit)) return REED_TOO_COMPLEX;
    return prepare_search(l);
}

enum reed_status reed_locate(const struct reed_code *code, const uint32_t *indices,
                             size_t given_count, const uint8_t *const *shards, size_t shard_size,
                             uint32_t *wrong, size_t *wrong_count, size_t *column)
{
    if (wrong_count == NULL) return REED_INVALID_PARAMETER;
    *wrong_count = 0;
    if (code == NULL || wrong == NULL || (given_count > 0 && (indices == NULL || shards == NULL))) {
        return REED_INVALID_PARAMETER;
    }
    for (size_t i = 0; i < given_count; i++) {
        if (indices[i] >= code_shard_count(code) || (i > 0 && indices[i] <= indices[i - 1])) {
            return REED_INVALID_PARAMETER;
        }
    }
    if (code->encode_refused) return REED_NOT_MDS;
    if (given_count <= code->data_shards) return REED_TOO_FEW_SHARDS;

    struct locator l = {.code = code, .given = indices, .shards = shards,
                        .given_count = given_count};
    l.check_count = given_count - code->data_shards;
    l.error_limit = l.check_count / 2;
    enum reed_status status = create_comparison(&l, &l.all);
    if (status != REED_OK) return status;

    uint8_t *memory = allocator_take(&code->allocator, given_count * l.check_count);
    size_t first_column = 0;
    status = memory != NULL ? locator_prepare(&l, memory) : REED_OUT_OF_MEMORY;
    if (status == REED_OK) status = locate_columns(&l, shard_size, &first_column);
    if (status == REED_OK) {
        for (size_t i = 0; i < given_count; i++) {
            if (l.is_wrong[i]) wrong[(*wrong_count)++] = indices[i];
        }
    } else if (column != NULL) {
        *column = first_column;
    }
    allocator_give(&code->allocator, memory);
    destroy_comparison(&l, &l.all);
    return status;
}
