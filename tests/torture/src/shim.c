/* Keeps what a machine would lose when its power fails: preloaded into the server, it writes down, before each write to a
 * file below TORTURE_DIR, what stood there, and after each flush, whether it succeeded. After kill -9 `pages.rs` rolls a
 * part of what was not flushed back. What a failed flush was to write is not written by a later one that succeeds: the
 * system holds those pages for clean (https://wiki.postgresql.org/wiki/Fsync_Errors). One record: struct record, the path, the second path or the old bytes.
 * A flush takes TORTURE_SLOW microseconds longer, as on a slower disk: what is told before it ends is told too early.
 * What is written through a mapping is not seen; SQLite's -shm is, and it holds nothing that must survive. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CREATED = 1, WRITES = 2, CUT = 3, FLUSHED = 4, FOLDER_FLUSHED = 5, RENAMES = 6, FLUSH_FAILED = 7 };
enum { SECTOR = 512 };

struct record {
    uint64_t number; /* of a flush: the last record that it settles, or fails to */
    uint64_t offset; /* where the old bytes stood */
    uint64_t size;   /* of the file before */
    uint32_t kind;
    uint32_t path;  /* bytes of it */
    uint32_t bytes; /* old bytes, or those of the second path */
    uint32_t existed; /* of RENAMES: whether there was a file of the new name, whose bytes follow the second path */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last;

/* The interposed names below must not be called from here. */
static int out_file(void) {
    static int out = -2;
    if (out == -2) {
        const char *path = getenv("TORTURE_UNDO");
        out = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    }
    return out;
}

static int is_ours(const char *path) {
    const char *folder = getenv("TORTURE_DIR");
    size_t length = folder ? strlen(folder) : 0;
    return length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]) && !strstr(path, "-shm");
}

static int path_of(int fd, char *path) {
    char link[64];
    const char digits[] = "0123456789";
    char number[16];
    int at = sizeof number;
    number[--at] = 0;
    for (unsigned rest = (unsigned)fd; at > 0; rest /= 10) {
        number[--at] = digits[rest % 10];
        if (rest < 10) break;
    }
    strcpy(link, "/proc/self/fd/");
    strcat(link, number + at);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (fd < 0 || length <= 0) return 0;
    path[length] = 0;
    return is_ours(path);
}

/* Under the lock. A record that is cut short by kill -9 is one whose write was not begun. */
static void put(struct record record, const char *path, const void *first, uint32_t first_length, const void *bytes) {
    record.path = (uint32_t)strlen(path);
    size_t length = sizeof record + record.path + first_length + record.bytes;
    char *all = malloc(length);
    if (!all) return;
    char *to = all;
    memcpy(to, &record, sizeof record), to += sizeof record;
    memcpy(to, path, record.path), to += record.path;
    if (first_length) memcpy(to, first, first_length), to += first_length;
    if (record.bytes) memcpy(to, bytes, record.bytes);
    syscall(SYS_write, out_file(), all, length);
    free(all);
}

/* What stands in a file from here to there, at most up to its end. */
static char *old_bytes(const char *path, uint64_t from, uint64_t until, uint32_t *length) {
    *length = 0;
    if (until <= from) return NULL;
    char *bytes = malloc(until - from);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (bytes && fd >= 0) {
        ssize_t got = syscall(SYS_pread64, fd, bytes, (size_t)(until - from), (off_t)from);
        if (got > 0) *length = (uint32_t)got;
    }
    if (fd >= 0) syscall(SYS_close, fd);
    return bytes;
}

static void before_change(int fd, int kind, uint64_t from, uint64_t until) {
    char path[PATH_MAX];
    struct stat stat;
    if (out_file() < 0 || !path_of(fd, path) || fstat(fd, &stat) || !S_ISREG(stat.st_mode)) return;
    int keep = errno;
    struct record record = {.kind = (uint32_t)kind, .size = (uint64_t)stat.st_size};
    record.offset = from / SECTOR * SECTOR;
    uint64_t end = (until + SECTOR - 1) / SECTOR * SECTOR;
    if (end > record.size) end = record.size;
    pthread_mutex_lock(&lock);
    char *bytes = old_bytes(path, record.offset, end, &record.bytes);
    record.number = ++last;
    put(record, path, NULL, 0, bytes);
    pthread_mutex_unlock(&lock);
    free(bytes);
    errno = keep;
}

static uint64_t offset_of(int fd) {
    struct stat stat;
    if ((fcntl(fd, F_GETFL) & O_APPEND) && !fstat(fd, &stat)) return (uint64_t)stat.st_size;
    off_t at = lseek(fd, 0, SEEK_CUR);
    return at < 0 ? 0 : (uint64_t)at;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    char path[PATH_MAX];
    if (out_file() >= 0 && path_of(fd, path)) {
        uint64_t at = offset_of(fd);
        before_change(fd, WRITES, at, at + count);
    }
    return real(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    before_change(fd, WRITES, (uint64_t)at, (uint64_t)at + count);
    return real(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    struct stat stat;
    if (!fstat(fd, &stat)) before_change(fd, CUT, (uint64_t)size, (uint64_t)stat.st_size);
    return real(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int flush(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    int ours = out_file() >= 0 && path_of(fd, path);
    pthread_mutex_lock(&lock);
    uint64_t settles = last;
    pthread_mutex_unlock(&lock);
    const char *slow = ours ? getenv("TORTURE_SLOW") : NULL;
    if (slow) nanosleep(&(struct timespec){.tv_nsec = atol(slow) * 1000}, NULL);
    int done = real(fd);
    int keep = errno;
    struct stat stat;
    if (ours && !fstat(fd, &stat)) {
        uint32_t kind = done ? FLUSH_FAILED : S_ISDIR(stat.st_mode) ? FOLDER_FLUSHED : FLUSHED;
        struct record record = {.kind = kind, .number = settles};
        pthread_mutex_lock(&lock);
        put(record, path, NULL, 0, NULL);
        pthread_mutex_unlock(&lock);
    }
    errno = keep;
    return done;
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return flush(fd, real);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return flush(fd, real);
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
    struct stat stat;
    int ours = out_file() >= 0 && (flags & O_CREAT) && path[0] == '/' && is_ours(path);
    int fresh = ours && syscall(SYS_newfstatat, AT_FDCWD, path, &stat, 0) != 0;
    int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (fd >= 0 && fresh) {
        struct record record = {.kind = CREATED};
        pthread_mutex_lock(&lock);
        record.number = ++last;
        put(record, path, NULL, 0, NULL);
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return open_at(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return open_at(folder, path, flags, mode); }

int rename(const char *from, const char *to) {
    if (out_file() >= 0 && is_ours(to)) {
        struct stat stat;
        struct record record = {.kind = RENAMES, .offset = strlen(to)};
        record.existed = syscall(SYS_newfstatat, AT_FDCWD, to, &stat, 0) == 0;
        record.size = record.existed ? (uint64_t)stat.st_size : 0;
        pthread_mutex_lock(&lock);
        char *bytes = old_bytes(to, 0, record.size, &record.bytes);
        record.number = ++last;
        put(record, from, to, (uint32_t)record.offset, bytes);
        pthread_mutex_unlock(&lock);
        free(bytes);
    }
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
