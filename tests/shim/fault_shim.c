/* Fails the n-th call of one class on files whose path ends with a given text. For tests, by LD_PRELOAD.
 *
 *   FAULT_PATH   the end of the path of the files that are meant
 *   FAULT_CALL   write | sync | truncate | close   (write: write, pwrite, writev; sync: fsync, fdatasync)
 *   FAULT_NTH    which call fails; the first is 1
 *   FAULT_KIND   eio | enospc | edquot | eintr | short   (short: half of the bytes are written)
 *   FAULT_STICKY 1: every later call of the class fails too
 *   FAULT_MARK   a file that is made when a call was made to fail
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static int is_meant(int fd) {
    const char *end = getenv("FAULT_PATH");
    char link[64], path[4096];
    if (end == NULL) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    size_t length = strlen(end);
    return (size_t)n >= length && strcmp(path + n - length, end) == 0;
}

/* 0: let it pass; 1: fail with errno set; 2: write only half. */
static int fault(const char *call, int fd) {
    const char *wanted = getenv("FAULT_CALL"), *nth = getenv("FAULT_NTH"), *kind = getenv("FAULT_KIND");
    int saved = errno;
    if (wanted == NULL || nth == NULL || kind == NULL || strcmp(wanted, call) != 0 || !is_meant(fd)) {
        errno = saved;
        return 0;
    }
    const char *sticky = getenv("FAULT_STICKY"), *mark = getenv("FAULT_MARK");
    long n = atomic_fetch_add(&calls, 1) + 1, target = atol(nth);
    if (n < target || (n > target && sticky == NULL)) {
        errno = saved;
        return 0;
    }
    if (mark != NULL) {
        int made = (int)syscall(SYS_openat, AT_FDCWD, mark, O_CREAT | O_WRONLY, 0644);
        if (made >= 0) syscall(SYS_close, made);
    }
    errno = saved;
    if (strcmp(kind, "short") == 0) return 2;
    errno = strcmp(kind, "enospc") == 0   ? ENOSPC
            : strcmp(kind, "edquot") == 0 ? EDQUOT
            : strcmp(kind, "eintr") == 0  ? EINTR
                                          : EIO;
    return 1;
}

static size_t half(size_t count) { return count > 1 ? count / 2 : count; }

#define NEXT(type, name, ...)                                            \
    static type (*next)(__VA_ARGS__);                                    \
    if (next == NULL) next = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *buffer, size_t count) {
    NEXT(ssize_t, "write", int, const void *, size_t);
    int f = fault("write", fd);
    if (f == 1) return -1;
    return next(fd, buffer, f == 2 ? half(count) : count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEXT(ssize_t, "writev", int, const struct iovec *, int);
    int f = fault("write", fd);
    if (f == 1) return -1;
    return next(fd, parts, f == 2 ? (int)half((size_t)count) : count);
}

ssize_t pwrite(int fd, const void *buffer, size_t count, off_t offset) {
    NEXT(ssize_t, "pwrite", int, const void *, size_t, off_t);
    int f = fault("write", fd);
    if (f == 1) return -1;
    return next(fd, buffer, f == 2 ? half(count) : count, offset);
}

ssize_t pwrite64(int fd, const void *buffer, size_t count, off64_t offset) {
    NEXT(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    int f = fault("write", fd);
    if (f == 1) return -1;
    return next(fd, buffer, f == 2 ? half(count) : count, offset);
}

int fsync(int fd) {
    NEXT(int, "fsync", int);
    return fault("sync", fd) ? -1 : next(fd);
}

int fdatasync(int fd) {
    NEXT(int, "fdatasync", int);
    return fault("sync", fd) ? -1 : next(fd);
}

int ftruncate(int fd, off_t length) {
    NEXT(int, "ftruncate", int, off_t);
    return fault("truncate", fd) ? -1 : next(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    NEXT(int, "ftruncate64", int, off64_t);
    return fault("truncate", fd) ? -1 : next(fd, length);
}

/* The file is closed in any case, as Linux does it; only the report is bad. */
int close(int fd) {
    NEXT(int, "close", int);
    if (fault("close", fd)) {
        int error = errno;
        next(fd);
        errno = error;
        return -1;
    }
    return next(fd);
}
