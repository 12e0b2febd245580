/* shards.c - see shards.h. The files are reed's shard files, so `reed verify` reads them too; their
 * names are NAME.VERSION.INDEX.reed, and the stripe id in every record follows from name and
 * version, so a file that lies under another's name is as good as missing. */
#define _GNU_SOURCE
#include "shards.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <reed.h>

enum {
    BLOCK_SIZE = REED_BLOCK_SIZE_DEFAULT,
    /* Fewer published shards than this are no durable blob. */
    SHARDS_WRITTEN_MIN = DATA_SHARDS + 1,
    PATH_SIZE = 4096
};

static void *take(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL) abort(); /* an example's way; a daemon would answer 503 */
    return memory;
}

static void stripe_id_of(struct blob blob, uint8_t *id)
{
    uint32_t crc32c = reed_crc32c(0, blob.name, strlen(blob.name));
    uint32_t crc32 = reed_crc32(0, blob.name, strlen(blob.name));
    for (int i = 0; i < 8; i++) id[i] = (uint8_t)(blob.version >> 8 * i);
    for (int i = 0; i < 4; i++) id[8 + i] = (uint8_t)(crc32c >> 8 * i);
    for (int i = 0; i < 4; i++) id[12 + i] = (uint8_t)(crc32 >> 8 * i);
}

static void shard_path(const struct store *store, struct blob blob, int index, char *path)
{
    snprintf(path, PATH_SIZE, "%s/%s.%016" PRIx64 ".%03d.reed", store->folders[index], blob.name,
             blob.version, index);
}

static void tombstone_path(const struct store *store, struct blob blob, int index, char *path)
{
    snprintf(path, PATH_SIZE, "%s/%s.%016" PRIx64 ".deleted", store->folders[index], blob.name,
             blob.version);
}

/* ---- files that are there whole or not at all ----------------------------------------------- */

static bool folder_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool synced = fsync(fd) == 0;
    return close(fd) == 0 && synced;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* Temporary file, fsync, rename, fsync of the folder. Nobody else writes this path meanwhile; what
 * a crash leaves under the temporary name is removed at the next start. */
static bool publish(const char *folder, const char *path, const uint8_t *bytes, size_t size)
{
    char temporary[PATH_SIZE + 16];
    snprintf(temporary, sizeof temporary, "%s/.tmp-%s", folder, strrchr(path, '/') + 1);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool whole = write_all(fd, bytes, size) && fsync(fd) == 0;
    whole = close(fd) == 0 && whole;
    if (whole && rename(temporary, path) == 0) {
        if (folder_sync(folder)) return true;
        unlink(path); /* nobody knows whether it will be there after a crash */
        return false;
    }
    unlink(temporary);
    return false;
}

/* ---- writing -------------------------------------------------------------------------------- */

static struct reed_block_info block_info(struct blob blob, const struct reed_shard_layout *layout,
                                         uint64_t row, int index)
{
    struct reed_block_info info = {
        .row = row,
        .row_data_size = (uint64_t)DATA_SHARDS * BLOCK_SIZE,
        .generator = REED_GENERATOR_NATIVE,
        .data_shards = DATA_SHARDS,
        .parity_shards = PARITY_SHARDS,
        .shard_index = (uint32_t)index,
        .block_size = BLOCK_SIZE,
        .payload_size = BLOCK_SIZE,
    };
    stripe_id_of(blob, info.stripe_id);
    if (row + 1 == layout->row_count) {
        info.is_last_row = 1;
        info.row_data_size = layout->last_row_data_size;
        info.payload_size = layout->last_payload_size;
    }
    return info;
}

static struct reed_shard_info shard_info(const struct store *store, struct blob blob, int index,
                                         uint64_t size, uint64_t row_count)
{
    struct reed_shard_info info = {
        .generator = REED_GENERATOR_NATIVE,
        .matrix_crc32c = reed_code_matrix_crc32c(store->code),
        .data_shards = DATA_SHARDS,
        .parity_shards = PARITY_SHARDS,
        .shard_index = (uint32_t)index,
        .block_size = BLOCK_SIZE,
        .digest_type = REED_DIGEST_NONE,
        .object_size = size,
        .row_count = row_count,
    };
    stripe_id_of(blob, info.stripe_id);
    return info;
}

static void must(enum reed_status status)
{
    if (status == REED_OK) return;
    fprintf(stderr, "reed: %s\n", reed_status_message(status));
    abort(); /* arguments are ours: this is a bug of the daemon, and no data may follow from it */
}

static uint8_t *record_at(uint8_t *file, const struct reed_shard_layout *layout, uint64_t row)
{
    return file + REED_SHARD_HEADER_SIZE + row * layout->full_record_size;
}

/* The whole files in memory: data copied in place, parity and all checksums in one pass per row. */
static void make_files(const struct store *store, struct blob blob, const uint8_t *data,
                       size_t size, const struct reed_shard_layout *layout, uint8_t **files)
{
    void *scratch = take(reed_plan_apply_crc32c_scratch_size(store->encode));
    for (uint64_t row = 0; row < layout->row_count; row++) {
        struct reed_block_info info = block_info(blob, layout, row, 0);
        const uint8_t *sources[DATA_SHARDS];
        uint8_t *payloads[SHARDS];
        uint32_t crc32c[SHARDS];
        uint64_t at = row * DATA_SHARDS * BLOCK_SIZE;
        for (int i = 0; i < SHARDS; i++) {
            payloads[i] = record_at(files[i], layout, row) + REED_BLOCK_HEADER_SIZE;
            if (i >= DATA_SHARDS) continue;
            uint64_t begin = at + (uint64_t)i * info.payload_size, end = begin + info.payload_size;
            if (end > size) end = size; /* the rest of the payload stays zero */
            if (begin < end) memcpy(payloads[i], data + begin, end - begin);
            sources[i] = payloads[i];
        }
        must(reed_plan_apply_crc32c(store->encode, sources, payloads + DATA_SHARDS, 0,
                                    info.payload_size, info.payload_size, crc32c,
                                    crc32c + DATA_SHARDS, 1, scratch));
        for (int i = 0; i < SHARDS; i++) {
            info.shard_index = (uint32_t)i;
            must(reed_block_header_write(&info, crc32c[i], record_at(files[i], layout, row), NULL));
        }
    }
    for (int i = 0; i < SHARDS; i++) {
        struct reed_shard_info info = shard_info(store, blob, i, size, layout->row_count);
        must(reed_shard_header_write(&info, files[i], NULL));
        must(reed_shard_footer_write(&info, files[i] + layout->footer_offset, NULL));
    }
    free(scratch);
}

enum outcome shards_write(const struct store *store, struct blob blob, const uint8_t *data,
                          size_t size)
{
    struct reed_shard_layout layout;
    must(reed_shard_layout(DATA_SHARDS, BLOCK_SIZE, size, &layout));
    uint8_t *files[SHARDS];
    for (int i = 0; i < SHARDS; i++) files[i] = take(layout.file_size);
    make_files(store, blob, data, size, &layout, files);
    int published = 0;
    for (int i = 0; i < SHARDS; i++) {
        char path[PATH_SIZE];
        shard_path(store, blob, i, path);
        published += publish(store->folders[i], path, files[i], layout.file_size);
        free(files[i]);
    }
    if (published >= SHARDS_WRITTEN_MIN) return published == SHARDS ? DONE : DONE_DEGRADED;
    shards_remove(store, blob);
    return NOT_POSSIBLE;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct reader {
    const struct store *store;
    struct blob blob;
    int fds[SHARDS];
    uint64_t size;
    struct reed_shard_layout layout;
    uint8_t *records[SHARDS]; /* one row */
    uint8_t is_good[SHARDS];  /* of this row */
    bool is_degraded;         /* something was not good */
    /* The system could not read it just now: it may be whole, so it is never replaced. */
    bool is_unreadable[SHARDS];
};

static bool read_at(struct reader *reader, int index, uint8_t *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t got = pread(reader->fds[index], bytes, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) reader->is_unreadable[index] = true;
        if (got <= 0) return false;
        bytes += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

/* Header and footer of one file, with the identity that they must have. */
static bool read_ends(struct reader *reader, int index, struct reed_shard_info *info)
{
    uint8_t header[REED_SHARD_HEADER_SIZE], footer[REED_SHARD_FOOTER_SIZE];
    struct reed_shard_info head;
    struct stat status;
    if (fstat(reader->fds[index], &status) != 0 ||
        status.st_size < REED_SHARD_HEADER_SIZE + REED_SHARD_FOOTER_SIZE) {
        return false;
    }
    uint64_t at = (uint64_t)status.st_size - REED_SHARD_FOOTER_SIZE;
    if (!read_at(reader, index, header, sizeof header, 0) ||
        !read_at(reader, index, footer, sizeof footer, at) ||
        reed_shard_header_parse(header, sizeof header, &head, NULL) != REED_OK ||
        reed_shard_footer_parse(footer, sizeof footer, info, NULL) != REED_OK) {
        return false;
    }
    struct reed_shard_info want =
        shard_info(reader->store, reader->blob, index, info->object_size, info->row_count);
    uint8_t written[REED_SHARD_HEADER_SIZE];
    must(reed_shard_header_write(&want, written, NULL));
    if (memcmp(written, header, sizeof written) != 0) return false;
    must(reed_shard_footer_write(&want, written, NULL));
    if (memcmp(written, footer, sizeof written) != 0) return false;
    struct reed_shard_layout layout;
    return reed_shard_layout(DATA_SHARDS, BLOCK_SIZE, info->object_size, &layout) == REED_OK &&
           layout.file_size == (uint64_t)status.st_size;
}

static void reader_close(struct reader *reader)
{
    for (int i = 0; i < SHARDS; i++) {
        if (reader->fds[i] >= 0) close(reader->fds[i]);
        free(reader->records[i]);
    }
}

/* False when no file tells the size of the blob. One with a damaged end still has its records. */
static bool reader_open(struct reader *reader, const struct store *store, struct blob blob,
                        bool *is_file_good)
{
    *reader = (struct reader){.store = store, .blob = blob};
    bool is_size_known = false;
    for (int i = 0; i < SHARDS; i++) {
        char path[PATH_SIZE];
        struct reed_shard_info info;
        shard_path(store, blob, i, path);
        reader->fds[i] = open(path, O_RDONLY | O_CLOEXEC);
        reader->is_unreadable[i] = reader->fds[i] < 0 && errno != ENOENT;
        is_file_good[i] = reader->fds[i] >= 0 && read_ends(reader, i, &info);
        if (is_file_good[i]) {
            is_size_known = true;
            reader->size = info.object_size;
        } else {
            reader->is_degraded = true;
        }
    }
    if (!is_size_known) {
        reader_close(reader);
        return false;
    }
    must(reed_shard_layout(DATA_SHARDS, BLOCK_SIZE, reader->size, &reader->layout));
    for (int i = 0; i < SHARDS; i++) reader->records[i] = take(reader->layout.full_record_size);
    return true;
}

static void read_record(struct reader *reader, uint64_t row, int index)
{
    const struct reed_shard_layout *layout = &reader->layout;
    struct reed_block_info want = block_info(reader->blob, layout, row, index), info;
    size_t size = REED_BLOCK_HEADER_SIZE + (size_t)want.payload_size;
    size = (size + REED_BLOCK_ALIGNMENT - 1) / REED_BLOCK_ALIGNMENT * REED_BLOCK_ALIGNMENT;
    uint64_t at = REED_SHARD_HEADER_SIZE + row * layout->full_record_size;
    uint8_t *record = reader->records[index];
    reader->is_good[index] =
        reader->fds[index] >= 0 && read_at(reader, index, record, size, at) &&
        reed_block_parse(NULL, record, size, &info, NULL) == REED_OK &&
        memcmp(info.stripe_id, want.stripe_id, sizeof info.stripe_id) == 0 && info.row == row &&
        info.shard_index == (uint32_t)index && info.data_shards == DATA_SHARDS &&
        info.parity_shards == PARITY_SHARDS && info.payload_size == want.payload_size &&
        info.row_data_size == want.row_data_size;
    if (!reader->is_good[index]) reader->is_degraded = true;
}

/* Payloads of the data shards, and with `all` of the parity shards, verified or rebuilt from
 * verified ones; false when there are too few. */
static bool read_row(struct reader *reader, uint64_t row, bool all)
{
    int good = 0;
    for (int i = 0; i < SHARDS; i++) {
        reader->is_good[i] = 0;
        if (i < DATA_SHARDS || all || good < DATA_SHARDS) {
            read_record(reader, row, i);
            good += reader->is_good[i];
        }
    }
    if (good < DATA_SHARDS) return false;
    uint8_t *payloads[SHARDS];
    for (int i = 0; i < SHARDS; i++) {
        bool is_needed = i < DATA_SHARDS || all || reader->is_good[i];
        payloads[i] = is_needed ? reader->records[i] + REED_BLOCK_HEADER_SIZE : NULL;
    }
    size_t size = block_info(reader->blob, &reader->layout, row, 0).payload_size;
    must(reed_stripe_reconstruct(reader->store->code, payloads, reader->is_good, size));
    return true;
}

/* The part of a row's data that lies in [begin, end). */
static void copy_row(const struct reader *reader, uint64_t row, uint64_t begin, uint64_t end,
                     uint8_t *data)
{
    struct reed_block_info info = block_info(reader->blob, &reader->layout, row, 0);
    for (int i = 0; i < DATA_SHARDS; i++) {
        uint64_t first = row * DATA_SHARDS * BLOCK_SIZE + (uint64_t)i * info.payload_size;
        uint64_t from = first < begin ? begin : first, to = first + info.payload_size;
        if (to > end) to = end;
        if (from >= to) continue;
        memcpy(data + (from - begin),
               reader->records[i] + REED_BLOCK_HEADER_SIZE + (from - first), to - from);
    }
}

enum outcome shards_read(const struct store *store, struct blob blob, uint64_t begin, uint64_t end,
                         uint8_t **data, size_t *data_size, uint64_t *size)
{
    struct reader reader;
    bool is_file_good[SHARDS], is_whole = true;
    *data = NULL;
    *data_size = 0;
    if (!reader_open(&reader, store, blob, is_file_good)) return NOT_POSSIBLE;
    *size = reader.size;
    if (end > reader.size) end = reader.size;
    if (begin < end) {
        uint64_t row_size = (uint64_t)DATA_SHARDS * BLOCK_SIZE;
        *data_size = (size_t)(end - begin);
        *data = take(*data_size);
        for (uint64_t row = begin / row_size; is_whole && row * row_size < end; row++) {
            is_whole = read_row(&reader, row, false);
            if (is_whole) copy_row(&reader, row, begin, end, *data);
        }
    }
    reader_close(&reader);
    if (is_whole) return reader.is_degraded ? DONE_DEGRADED : DONE;
    free(*data);
    *data = NULL;
    return NOT_POSSIBLE;
}

enum outcome shards_repair(const struct store *store, struct blob blob)
{
    struct reader reader;
    bool is_file_good[SHARDS];
    if (!reader_open(&reader, store, blob, is_file_good)) return NOT_POSSIBLE;
    uint8_t *data = take(reader.size);
    bool is_whole = true;
    for (uint64_t row = 0; is_whole && row < reader.layout.row_count; row++) {
        is_whole = read_row(&reader, row, true);
        if (is_whole) copy_row(&reader, row, 0, reader.size, data);
        for (int i = 0; i < SHARDS; i++) is_file_good[i] = is_file_good[i] && reader.is_good[i];
    }
    enum outcome outcome = !is_whole ? NOT_POSSIBLE : reader.is_degraded ? DONE_DEGRADED : DONE;
    if (outcome == DONE_DEGRADED) { /* the files once more; only what is not good is replaced */
        uint8_t *files[SHARDS];
        for (int i = 0; i < SHARDS; i++) files[i] = take(reader.layout.file_size);
        make_files(store, blob, data, reader.size, &reader.layout, files);
        for (int i = 0; i < SHARDS; i++) {
            char path[PATH_SIZE];
            shard_path(store, blob, i, path);
            if (!is_file_good[i] && !reader.is_unreadable[i]) {
                publish(store->folders[i], path, files[i], reader.layout.file_size);
            }
            free(files[i]);
        }
    }
    free(data);
    reader_close(&reader);
    return outcome;
}

/* ---- removal -------------------------------------------------------------------------------- */

bool tombstone_write(const struct store *store, struct blob blob)
{
    int written = 0;
    for (int i = 0; i < SHARDS; i++) {
        char path[PATH_SIZE];
        tombstone_path(store, blob, i, path);
        written += publish(store->folders[i], path, NULL, 0);
    }
    return written > 0;
}

void tombstone_remove(const struct store *store, struct blob blob)
{
    for (int i = 0; i < SHARDS; i++) {
        char path[PATH_SIZE];
        tombstone_path(store, blob, i, path);
        unlink(path);
    }
}

bool shards_remove(const struct store *store, struct blob blob)
{
    bool is_removed = true;
    for (int i = 0; i < SHARDS; i++) {
        char path[PATH_SIZE];
        shard_path(store, blob, i, path);
        if (unlink(path) != 0 && errno != ENOENT) is_removed = false;
        if (!folder_sync(store->folders[i])) is_removed = false;
    }
    return is_removed;
}
