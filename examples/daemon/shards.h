/* shards.h - one blob as 4 + 2 shard files over six folders. Blocking, thread-safe by having no
 * state but the folders: whoever calls keeps writers of one version apart. */
#ifndef SHARDS_H
#define SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATA_SHARDS = 4, PARITY_SHARDS = 2, SHARDS = 6, NAME_MAX_SIZE = 100 };

struct store {
    const char *folders[SHARDS];
    struct reed_code *code;
    struct reed_plan *encode;
};

/* What a blob is, as far as its files can tell. */
struct blob {
    const char *name;
    uint64_t version; /* of this name: the higher is the newer; part of the files' names */
};

enum outcome {
    DONE,
    DONE_DEGRADED, /* right, but some shard is missing or damaged: repair it */
    NOT_POSSIBLE   /* too few good shards, or too few writable folders; nothing changed */
};

/* Publishes all shards, durably, or none of them: on NOT_POSSIBLE none is left. */
enum outcome shards_write(const struct store *store, struct blob blob, const uint8_t *data,
                          size_t size);
/* Every byte comes from a record whose checksum and identity were verified. *data is malloc'ed and
 * holds [begin, end) of the blob, cut to its *size; with end 0 nothing but the size is read. */
enum outcome shards_read(const struct store *store, struct blob blob, uint64_t begin, uint64_t end,
                         uint8_t **data, size_t *data_size, uint64_t *size);
/* Verifies everything and writes again what is missing or damaged. DONE_DEGRADED: it was. */
enum outcome shards_repair(const struct store *store, struct blob blob);

/* A mark that every older version is gone, in all folders that take it; false when none did. */
bool tombstone_write(const struct store *store, struct blob blob);
void tombstone_remove(const struct store *store, struct blob blob);
/* Removes the shards of a version; false when some could not be removed. */
bool shards_remove(const struct store *store, struct blob blob);

#endif
