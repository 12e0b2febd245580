/* daemon.c - a storage daemon: blobs over HTTP on loopback, each as 4 + 2 shards over six folders.
 *
 *   daemon PORT FOLDER FOLDER FOLDER FOLDER FOLDER FOLDER
 *
 *   PUT /NAME, GET /NAME (with Range: bytes=A-B), HEAD /NAME, DELETE /NAME, POST /scrub
 *
 * An answer 201 or 204 means that the change survives a crash of the process or of the machine. Any
 * two folders may fail. Every byte that is served was verified when it was read; a blob with too
 * few good shards is an error 500, never other bytes. What a GET finds missing or damaged, a
 * thread in the background writes again.
 *
 * A blob is replaced by publishing a newer version and then removing the older one, so at each
 * moment one of the two is complete. It is deleted by publishing a tombstone first. What a crash
 * leaves half done is finished when the daemon starts.
 *
 * Threads: one event loop each, all on one listening socket, with blocking file access; one that
 * repairs. The index is the only thing that they share. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/thread.h>
#include <reed.h>

#include "shards.h"

enum { THREADS = 4, BODY_SIZE_MAX = 64 << 20, BUCKETS = 4096 };

/* ---- the index: which version of a name is the current one ---------------------------------- */

/* Entries are never freed, so a pointer to one stays good. */
struct entry {
    struct entry *next;
    pthread_rwlock_t lock; /* held while its files are read or changed */
    uint64_t version;      /* 0: no such blob */
    char name[NAME_MAX_SIZE + 1];
};

static struct store store;
static struct entry *buckets[BUCKETS];
static pthread_mutex_t buckets_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last_version; /* under buckets_lock */

static struct entry *entry_find(const char *name, bool create)
{
    struct entry **bucket = &buckets[reed_crc32c(0, name, strlen(name)) % BUCKETS];
    pthread_mutex_lock(&buckets_lock);
    struct entry *entry = *bucket;
    while (entry != NULL && strcmp(entry->name, name) != 0) entry = entry->next;
    if (entry == NULL && create) {
        entry = calloc(1, sizeof *entry);
        if (entry == NULL) abort();
        pthread_rwlock_init(&entry->lock, NULL);
        strcpy(entry->name, name);
        entry->next = *bucket;
        *bucket = entry;
    }
    pthread_mutex_unlock(&buckets_lock);
    return entry;
}

/* Higher than every one before, across restarts too: the start raises last_version past all
 * files. */
static uint64_t version_next(void)
{
    pthread_mutex_lock(&buckets_lock);
    uint64_t version = ++last_version;
    pthread_mutex_unlock(&buckets_lock);
    return version;
}

static bool is_name_valid(const char *name)
{
    size_t size = strlen(name);
    return size >= 1 && size <= NAME_MAX_SIZE && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == size;
}

/* ---- start: the index from the folders, and the end of what a crash interrupted ------------- */

struct found {
    struct found *next;
    uint64_t version;
    int shard_count;
    bool is_tombstone;
    char name[NAME_MAX_SIZE + 1];
};

static void found_add(struct found **all, const char *name, uint64_t version, bool is_tombstone)
{
    struct found *found = *all;
    while (found != NULL && (found->version != version || strcmp(found->name, name) != 0)) {
        found = found->next;
    }
    if (found == NULL) {
        found = calloc(1, sizeof *found);
        if (found == NULL) abort();
        strcpy(found->name, name);
        found->version = version;
        found->next = *all;
        *all = found;
    }
    if (is_tombstone) found->is_tombstone = true;
    else found->shard_count++;
    if (version > last_version) last_version = version;
}

/* False when the folder is not there now, which is what the parity is for. */
static bool folder_scan(const char *path, struct found **all)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        fprintf(stderr, "daemon: %s: %s\n", path, strerror(errno));
        return false;
    }
    struct dirent *item;
    while ((item = readdir(folder)) != NULL) {
        char name[NAME_MAX_SIZE + 1], kind[16];
        uint64_t version;
        if (strncmp(item->d_name, ".tmp-", 5) == 0) {
            unlinkat(dirfd(folder), item->d_name, 0); /* was never published */
        } else if (sscanf(item->d_name, "%100[^.].%16" SCNx64 ".%15s", name, &version, kind) == 3) {
            found_add(all, name, version, strcmp(kind, "deleted") == 0);
        }
    }
    closedir(folder);
    return true;
}

/* Whether a version may take the place of older ones, which are then removed. One that was not
 * published in all folders must prove that it decodes; it is made whole on that occasion. */
static bool is_usable(const struct found *found)
{
    struct blob blob = {found->name, found->version};
    return found->is_tombstone || found->shard_count == SHARDS ||
           (found->shard_count >= DATA_SHARDS && shards_repair(&store, blob) != NOT_POSSIBLE);
}

/* The newest tombstone or usable version decides; what is older than it goes. Versions that were
 * never complete stay while they are the only trace of a name. */
static void index_load(void)
{
    struct found *all = NULL;
    bool is_complete = true;
    for (int i = 0; i < SHARDS; i++) {
        if (!folder_scan(store.folders[i], &all)) is_complete = false;
    }
    for (struct found *found = all; found != NULL; found = found->next) {
        struct entry *entry = entry_find(found->name, true);
        if (found->version > entry->version && is_usable(found)) entry->version = found->version;
    }
    for (struct found *found = all; found != NULL; found = found->next) {
        struct blob blob = {found->name, found->version};
        bool is_old = found->version < entry_find(found->name, false)->version;
        if (is_old && !found->is_tombstone && !shards_remove(&store, blob)) is_complete = false;
    }
    while (all != NULL) {
        struct found *found = all;
        if (found->is_tombstone) {
            struct entry *entry = entry_find(found->name, false);
            struct blob blob = {found->name, found->version};
            if (entry->version == found->version) entry->version = 0;
            if (is_complete) tombstone_remove(&store, blob); /* else some old shard may come back */
        }
        all = found->next;
        free(found);
    }
}

/* ---- repair in the background --------------------------------------------------------------- */

enum { QUEUE_SIZE = 1024 };

static struct entry *queue[QUEUE_SIZE]; /* a ring; what does not fit is found again later */
static size_t queue_begin, queue_end;
static bool is_stopping;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;

static void repair_later(struct entry *entry)
{
    pthread_mutex_lock(&queue_lock);
    if (queue_end - queue_begin < QUEUE_SIZE) queue[queue_end++ % QUEUE_SIZE] = entry;
    pthread_cond_signal(&queue_filled);
    pthread_mutex_unlock(&queue_lock);
}

static enum outcome entry_repair(struct entry *entry)
{
    pthread_rwlock_wrlock(&entry->lock);
    struct blob blob = {entry->name, entry->version};
    enum outcome outcome = blob.version == 0 ? DONE : shards_repair(&store, blob);
    pthread_rwlock_unlock(&entry->lock);
    return outcome;
}

static void *repair_run(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&queue_lock);
        while (queue_begin == queue_end && !is_stopping) {
            pthread_cond_wait(&queue_filled, &queue_lock);
        }
        struct entry *entry = is_stopping ? NULL : queue[queue_begin++ % QUEUE_SIZE];
        pthread_mutex_unlock(&queue_lock);
        if (entry == NULL) return NULL;
        entry_repair(entry);
    }
}

/* ---- requests ------------------------------------------------------------------------------- */

static void put(struct evhttp_request *request, const char *name)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t size = evbuffer_get_length(body);
    const uint8_t *data = size > 0 ? evbuffer_pullup(body, -1) : NULL;
    struct entry *entry = entry_find(name, true);
    pthread_rwlock_wrlock(&entry->lock);
    struct blob old = {name, entry->version}, blob = {name, version_next()};
    enum outcome outcome = shards_write(&store, blob, data, size);
    if (outcome != NOT_POSSIBLE) {
        entry->version = blob.version;
        if (old.version != 0) shards_remove(&store, old); /* what stays goes at the next start */
    }
    pthread_rwlock_unlock(&entry->lock);
    if (outcome == DONE_DEGRADED) repair_later(entry);
    if (outcome == NOT_POSSIBLE) {
        evhttp_send_error(request, 507, "too few folders could be written");
    } else {
        evhttp_send_reply(request, 201, "Created", NULL);
    }
}

static void delete(struct evhttp_request *request, struct entry *entry)
{
    pthread_rwlock_wrlock(&entry->lock);
    struct blob old = {entry->name, entry->version}, mark = {entry->name, version_next()};
    bool was_there = old.version != 0, is_marked = was_there && tombstone_write(&store, mark);
    if (is_marked) {
        entry->version = 0;
        /* As long as a shard may be left, the tombstone stays and says what it is. */
        if (shards_remove(&store, old)) tombstone_remove(&store, mark);
    }
    pthread_rwlock_unlock(&entry->lock);
    if (!was_there) {
        evhttp_send_error(request, HTTP_NOTFOUND, NULL);
    } else if (is_marked) {
        evhttp_send_reply(request, HTTP_NOCONTENT, "No Content", NULL);
    } else {
        evhttp_send_error(request, 507, "no folder could be written");
    }
}

static void free_data(const void *data, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    free((void *)(uintptr_t)data);
}

/* Range: bytes=A-B or bytes=A-; anything else is the whole. */
static bool read_range(struct evhttp_request *request, uint64_t *begin, uint64_t *end)
{
    const char *range = evhttp_find_header(evhttp_request_get_input_headers(request), "Range");
    uint64_t first, last = UINT64_MAX - 1;
    *begin = 0;
    *end = UINT64_MAX;
    if (range == NULL || sscanf(range, "bytes=%" SCNu64 "-%" SCNu64, &first, &last) < 1 ||
        first > last || last == UINT64_MAX) {
        return false;
    }
    *begin = first;
    *end = last + 1;
    return true;
}

static void get(struct evhttp_request *request, struct entry *entry)
{
    uint64_t begin, end, size = 0;
    bool is_range = read_range(request, &begin, &end);
    bool is_head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
    uint8_t *data = NULL;
    size_t data_size = 0;
    enum outcome outcome = NOT_POSSIBLE;
    pthread_rwlock_rdlock(&entry->lock);
    struct blob blob = {entry->name, entry->version};
    if (blob.version != 0) {
        outcome = shards_read(&store, blob, begin, is_head ? 0 : end, &data, &data_size, &size);
    }
    pthread_rwlock_unlock(&entry->lock);
    if (outcome == DONE_DEGRADED) repair_later(entry);
    char header[80];
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    if (blob.version == 0) {
        evhttp_send_error(request, HTTP_NOTFOUND, NULL);
    } else if (outcome == NOT_POSSIBLE) {
        evhttp_send_error(request, HTTP_INTERNAL, "too few good shards");
    } else if (is_range && begin >= size) {
        free(data);
        snprintf(header, sizeof header, "bytes */%" PRIu64, size);
        evhttp_add_header(headers, "Content-Range", header);
        evhttp_send_reply(request, 416, "Range Not Satisfiable", NULL);
    } else {
        struct evbuffer *body = evbuffer_new();
        if (data_size > 0) evbuffer_add_reference(body, data, data_size, free_data, NULL);
        if (is_head) {
            snprintf(header, sizeof header, "%" PRIu64, size);
            evhttp_add_header(headers, "Content-Length", header);
        } else if (is_range) {
            snprintf(header, sizeof header, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, begin,
                     begin + data_size - 1, size);
            evhttp_add_header(headers, "Content-Range", header);
        }
        evhttp_send_reply(request, is_range && !is_head ? 206 : HTTP_OK, "OK", body);
        evbuffer_free(body);
    }
}

static void scrub(struct evhttp_request *request)
{
    size_t counts[3] = {0};
    for (size_t i = 0; i < BUCKETS; i++) {
        pthread_mutex_lock(&buckets_lock);
        struct entry *entry = buckets[i]; /* new ones come in front: the rest of the list stays */
        pthread_mutex_unlock(&buckets_lock);
        for (; entry != NULL; entry = entry->next) counts[entry_repair(entry)]++;
    }
    struct evbuffer *body = evbuffer_new();
    evbuffer_add_printf(body, "{\"good\": %zu, \"repaired\": %zu, \"beyond_repair\": %zu}\n",
                        counts[DONE], counts[DONE_DEGRADED], counts[NOT_POSSIBLE]);
    evhttp_send_reply(request, HTTP_OK, "OK", body);
    evbuffer_free(body);
}

static void answer(struct evhttp_request *request, void *unused)
{
    (void)unused;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = evhttp_uri_get_path(uri);
    const char *name = path != NULL && path[0] == '/' ? path + 1 : "";
    enum evhttp_cmd_type command = evhttp_request_get_command(request);
    if (!is_name_valid(name)) {
        evhttp_send_error(request, HTTP_BADREQUEST, "names are 1 to 100 letters, digits, - and _");
        return;
    }
    if (command == EVHTTP_REQ_POST && strcmp(name, "scrub") == 0) {
        scrub(request);
        return;
    }
    struct entry *entry = entry_find(name, false);
    if (command == EVHTTP_REQ_PUT) {
        put(request, name);
    } else if (entry == NULL) {
        evhttp_send_error(request, HTTP_NOTFOUND, NULL);
    } else if (command == EVHTTP_REQ_DELETE) {
        delete(request, entry);
    } else {
        get(request, entry);
    }
}

/* ---- the process ---------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    struct event_base *base;
    struct evhttp *http;
};

static struct worker workers[THREADS];

static void *worker_run(void *worker)
{
    event_base_dispatch(((struct worker *)worker)->base);
    return NULL;
}

static int listen_on_loopback(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 128) != 0) {
        perror("daemon: cannot listen");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static void must(enum reed_status status)
{
    if (status == REED_OK) return;
    fprintf(stderr, "daemon: %s\n", reed_status_message(status));
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    if (argc != 2 + SHARDS) {
        fprintf(stderr, "usage: daemon PORT FOLDER FOLDER FOLDER FOLDER FOLDER FOLDER\n");
        return EXIT_FAILURE;
    }
    struct reed_code_options options = {
        .struct_size = sizeof options,
        .generator = REED_GENERATOR_NATIVE,
        .data_shards = DATA_SHARDS,
        .parity_shards = PARITY_SHARDS,
    };
    must(reed_code_create(&options, &store.code));
    must(reed_plan_create_encode(store.code, &store.encode));
    for (int i = 0; i < SHARDS; i++) store.folders[i] = argv[2 + i];
    index_load();

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* main waits for them; threads inherit the mask */
    signal(SIGPIPE, SIG_IGN);
    evthread_use_pthreads();
    int listener = listen_on_loopback(atoi(argv[1]));
    pthread_t repairer;
    if (pthread_create(&repairer, NULL, repair_run, NULL) != 0) abort();
    for (int i = 0; i < THREADS; i++) {
        struct worker *worker = &workers[i];
        worker->base = event_base_new();
        worker->http = evhttp_new(worker->base);
        evhttp_set_max_body_size(worker->http, BODY_SIZE_MAX);
        evhttp_set_allowed_methods(worker->http, EVHTTP_REQ_PUT | EVHTTP_REQ_GET |
                                   EVHTTP_REQ_HEAD | EVHTTP_REQ_DELETE | EVHTTP_REQ_POST);
        evhttp_set_gencb(worker->http, answer, NULL);
        if (evhttp_accept_socket(worker->http, dup(listener)) != 0 ||
            pthread_create(&worker->thread, NULL, worker_run, worker) != 0) {
            abort();
        }
    }
    printf("listening on 127.0.0.1:%s\n", argv[1]);
    fflush(stdout);

    int signal_number;
    sigwait(&signals, &signal_number);
    for (int i = 0; i < THREADS; i++) event_base_loopexit(workers[i].base, NULL);
    pthread_mutex_lock(&queue_lock);
    is_stopping = true;
    pthread_cond_signal(&queue_filled);
    pthread_mutex_unlock(&queue_lock);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        evhttp_free(workers[i].http);
        event_base_free(workers[i].base);
    }
    pthread_join(repairer, NULL);
    close(listener);
    reed_plan_destroy(store.encode);
    reed_code_destroy(store.code);
    libevent_global_shutdown();
    return EXIT_SUCCESS;
}
