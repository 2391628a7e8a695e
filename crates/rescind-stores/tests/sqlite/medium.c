/* Faults of a disk, on demand: preloaded into a test's child. A file in the directory RESCIND_TEST_FAULTS switches a
 * fault on: "full" (no room), "write" (a write fails), "flush" (any flush fails), "flush-database" (that of *.db). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int on(const char *fault) {
    const char *directory = getenv("RESCIND_TEST_FAULTS");
    char path[4096];
    int saved = errno;
    if (!directory) return 0;
    snprintf(path, sizeof path, "%s/%s", directory, fault);
    int there = access(path, F_OK) == 0;
    errno = saved;
    return there;
}

static int database(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    return length > 3 && memcmp(path + length - 3, ".db", 3) == 0;
}

static int refused(int fd) {
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
    if (on("full")) { errno = ENOSPC; return 1; }
    if (on("write")) { errno = EIO; return 1; }
    return 0;
}

static int unflushed(int fd) {
    if (on("flush") || (database(fd) && on("flush-database"))) { errno = EIO; return 1; }
    return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *from, size_t count) { return refused(fd) ? -1 : REAL(write)(fd, from, count); }
ssize_t pwrite(int fd, const void *from, size_t count, off_t at) { return refused(fd) ? -1 : REAL(pwrite)(fd, from, count, at); }
ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at) { return refused(fd) ? -1 : REAL(pwrite64)(fd, from, count, at); }
int fsync(int fd) { return unflushed(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return unflushed(fd) ? -1 : REAL(fdatasync)(fd); }
