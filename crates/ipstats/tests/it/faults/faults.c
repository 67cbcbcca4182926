/* Makes the disk fail, for tests. Preloaded into a process, it watches writes to files below the folder FAULTS_BELOW and
 * obeys the first line of the file FAULTS_CONTROL, read anew each time:
 *
 *     (no file, or anything else)   the disk works
 *     fsync                         fsync and fdatasync fail with EIO
 *     full N                        after N more bytes, writes fail with ENOSPC; the one that reaches N is cut short
 *
 * All of it is read through bare system calls, so that the shim never watches itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long long bytes_left = -1; /* of a disk that is getting full; -1 while it is not */

static int is_watched(int fd)
{
    const char *below = getenv("FAULTS_BELOW");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!below || length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static void read_control(char *line, size_t size)
{
    const char *control = getenv("FAULTS_CONTROL");
    line[0] = 0;
    int fd = control ? (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    long length = syscall(SYS_read, fd, line, size - 1);
    line[length > 0 ? length : 0] = 0;
    syscall(SYS_close, fd);
}

/* How many of `wanted` bytes the disk takes; -1 with errno set when it takes none. */
static ssize_t room(int fd, size_t wanted)
{
    int saved = errno;
    char line[64];
    ssize_t taken = (ssize_t)wanted;
    if (!is_watched(fd)) {
        errno = saved;
        return taken;
    }
    read_control(line, sizeof line);
    pthread_mutex_lock(&lock);
    long long limit;
    if (sscanf(line, "full %lld", &limit) != 1) {
        bytes_left = -1;
    } else {
        if (bytes_left < 0)
            bytes_left = limit;
        if (taken > bytes_left)
            taken = (ssize_t)bytes_left;
        bytes_left -= taken;
    }
    pthread_mutex_unlock(&lock);
    if (taken == 0 && wanted > 0) {
        errno = ENOSPC;
        return -1;
    }
    errno = saved;
    return taken;
}

static int is_sync_failing(int fd)
{
    char line[64];
    if (!is_watched(fd))
        return 0;
    read_control(line, sizeof line);
    return strncmp(line, "fsync", 5) == 0;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    ssize_t taken = room(fd, count);
    return taken < 0 ? -1 : syscall(SYS_write, fd, bytes, (size_t)taken);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    ssize_t taken = room(fd, count);
    return taken < 0 ? -1 : syscall(SYS_pwrite64, fd, bytes, (size_t)taken, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return pwrite64(fd, bytes, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    size_t wanted = 0;
    for (int i = 0; i < count; i++)
        wanted += parts[i].iov_len;
    ssize_t taken = room(fd, wanted);
    if (taken < 0)
        return -1;
    if ((size_t)taken == wanted)
        return syscall(SYS_writev, fd, parts, count);
    /* Cut short: a part of the first part will do. */
    size_t first = parts[0].iov_len < (size_t)taken ? parts[0].iov_len : (size_t)taken;
    return syscall(SYS_write, fd, parts[0].iov_base, first);
}

int fsync(int fd)
{
    if (is_sync_failing(fd)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    if (is_sync_failing(fd)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
