/* Kills a process at its n-th change to files, for tests. Preloaded into a process, it counts changes below the folder
 * KILLS_BELOW in the file KILLS_CONTROL, two 64-bit integers of the machine's byte order:
 *
 *     the changes so far
 *     the change at which the process is killed, before it happens; 0 for none
 *
 * A write of several bytes counts twice: a kill at the second count leaves half of the bytes. A program that also
 * makes bare system calls reaches no state that is missed: the state after such a call is the state before the next
 * counted one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic uint64_t *control;
static const char *below;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("KILLS_CONTROL");
    below = getenv("KILLS_BELOW");
    int fd = path && below ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, 2 * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (mapped != MAP_FAILED)
        control = mapped;
}

static void die(void)
{
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

/* Counts `changes` more. Returns which of them is the one to be killed at, from 1; 0 for none. */
static uint64_t count(uint64_t changes)
{
    uint64_t before = atomic_fetch_add(&control[0], changes), at = atomic_load(&control[1]);
    return at > before && at <= before + changes ? at - before : 0;
}

static int is_path_watched(int folder, const char *path)
{
    char full[8192], link[64];
    int saved = errno;
    if (!control)
        return 0;
    ssize_t length = 0;
    if (path[0] != '/') {
        if (folder == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        length = readlink(link, full, 4096);
        errno = saved;
        if (length < 0)
            return 0;
        full[length++] = '/';
    }
    snprintf(full + length, sizeof full - (size_t)length, "%s", path);
    return strncmp(full, below, strlen(below)) == 0;
}

static int is_watched(int fd)
{
    char link[64], path[4096];
    int saved = errno;
    if (!control)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static void change_path(int folder, const char *path)
{
    if (is_path_watched(folder, path) && count(1))
        die();
}

static void change_fd(int fd)
{
    if (is_watched(fd) && count(1))
        die();
}

/* Whether a write of `size` bytes is to be cut in half. */
static int is_cut(int fd, size_t size)
{
    uint64_t at = is_watched(fd) ? count(size > 1 ? 2 : 1) : 0;
    if (at == 1)
        die();
    return at == 2;
}

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    if (flags & (O_CREAT | O_TRUNC))
        change_path(folder, path);
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return open_at(AT_FDCWD, path, flags, mode);                                                                   \
    }
#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return open_at(folder, path, flags, mode);                                                                     \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t size)
{
    if (is_cut(fd, size)) {
        syscall(SYS_write, fd, bytes, size / 2);
        die();
    }
    return syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    if (is_cut(fd, size)) {
        syscall(SYS_pwrite64, fd, bytes, size / 2, offset);
        die();
    }
    return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    return pwrite64(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int parts_count)
{
    if (is_cut(fd, parts_count > 0 ? parts[0].iov_len : 0)) {
        syscall(SYS_write, fd, parts[0].iov_base, parts[0].iov_len / 2);
        die();
    }
    return syscall(SYS_writev, fd, parts, parts_count);
}

int fsync(int fd)
{
    change_fd(fd);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    change_fd(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off64_t size)
{
    change_fd(fd);
    return (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    change_path(to_folder, to);
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    change_path(to_folder, to);
    return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int folder, const char *path, int flags)
{
    change_path(folder, path);
    return (int)syscall(SYS_unlinkat, folder, path, flags);
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
    change_path(AT_FDCWD, path);
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
