/* Makes a disk fail, for LD_PRELOAD: calls that write to a path which holds $FAULT_PATH give errno $FAULT_ERRNO.
 *
 * EIO and ENOSPC: write, pwrite, writev, fsync. EROFS: opening to write, mkdir, rename, unlink.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int fault(void) {
    const char *number = getenv("FAULT_ERRNO");
    return number ? atoi(number) : 0;
}

static int hit(const char *path) {
    const char *part = getenv("FAULT_PATH");
    return part && path && strstr(path, part) != NULL;
}

static int hit_file(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return hit(path);
}

static int refuses(const char *path) { return fault() == EROFS && hit(path) ? (errno = EROFS) : 0; }
static int fails(int file) { return fault() != EROFS && fault() && hit_file(file) ? (errno = fault()) : 0; }

#define OPEN(name)                                                                     \
    int name(const char *path, int flags, ...) {                                       \
        va_list more;                                                                  \
        va_start(more, flags);                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;        \
        va_end(more);                                                                  \
        if (flags & (O_WRONLY | O_RDWR | O_CREAT) && refuses(path)) return -1;         \
        return REAL(name)(path, flags, mode);                                          \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int file, const void *data, size_t size) {
    return fails(file) ? -1 : REAL(write)(file, data, size);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    return fails(file) ? -1 : REAL(pwrite64)(file, data, size, at);
}
ssize_t writev(int file, const struct iovec *data, int count) {
    return fails(file) ? -1 : REAL(writev)(file, data, count);
}
int fsync(int file) { return fails(file) ? -1 : REAL(fsync)(file); }
int mkdir(const char *path, mode_t mode) { return refuses(path) ? -1 : REAL(mkdir)(path, mode); }
int unlink(const char *path) { return refuses(path) ? -1 : REAL(unlink)(path); }
int rename(const char *from, const char *to) { return refuses(to) ? -1 : REAL(rename)(from, to); }
