// SPDX-License-Identifier: MIT
// file.c - file descriptors and directories, with errno.
#include <dirent.h>
#include <fcntl.h>
#include <ksys.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int openat(int dirfd, const char *path, int flags, ...) {
    unsigned mode = 0;
    if (flags & O_CREAT) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, unsigned);
        va_end(args);
    }
    return (int)ksys_result(ksys_openat(dirfd, path, flags, mode));
}

int open(const char *path, int flags, ...) {
    unsigned mode = 0;
    if (flags & O_CREAT) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, unsigned);
        va_end(args);
    }
    return (int)ksys_result(ksys_openat(AT_FDCWD, path, flags, mode));
}

ssize_t read(int fd, void *buf, size_t len) {
    return ksys_result(ksys_read(fd, buf, len));
}

ssize_t write(int fd, const void *buf, size_t len) {
    return ksys_result(ksys_write(fd, buf, len));
}

ssize_t readv(int fd, const struct iovec *iov, int count) {
    return ksys_result(ksys_readv(fd, iov, count));
}

ssize_t writev(int fd, const struct iovec *iov, int count) {
    return ksys_result(ksys_writev(fd, iov, count));
}

int close(int fd) { return (int)ksys_result(ksys_close(fd)); }

off_t lseek(int fd, off_t offset, int whence) {
    return ksys_result(ksys_lseek(fd, offset, whence));
}

int dup(int fd) { return (int)ksys_result(ksys_dup(fd)); }

int dup3(int oldfd, int newfd, int flags) {
    return (int)ksys_result(ksys_dup3(oldfd, newfd, flags));
}

// dup3 refuses equal descriptors, dup2 only checks that the descriptor is open.
int dup2(int oldfd, int newfd) {
    struct stat st;
    if (oldfd == newfd) { return fstat(oldfd, &st) < 0 ? -1 : newfd; }
    return dup3(oldfd, newfd, 0);
}

int pipe2(int fds[2], int flags) { return (int)ksys_result(ksys_pipe2(fds, flags)); }

int pipe(int fds[2]) { return pipe2(fds, 0); }

int chdir(const char *path) { return (int)ksys_result(ksys_chdir(path)); }

char *getcwd(char *buf, size_t len) {
    return ksys_result(ksys_getcwd(buf, len)) < 0 ? NULL : buf;
}

int fstat(int fd, struct stat *st) { return (int)ksys_result(ksys_fstat(fd, st)); }

int fstatat(int dirfd, const char *path, struct stat *st, int flags) {
    return (int)ksys_result(ksys_newfstatat(dirfd, path, st, flags));
}

int stat(const char *path, struct stat *st) { return fstatat(AT_FDCWD, path, st, 0); }

int lstat(const char *path, struct stat *st) {
    return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

// There are no users: a mode bit counts whoever it is for.
int access(const char *path, int mode) {
    struct stat st;
    if (stat(path, &st) < 0) { return -1; }
    if ((mode & X_OK) && !(st.st_mode & 0111)) {
        errno = EACCES;
        return -1;
    }
    return 0;
}

// Character devices are taken for terminals.
int isatty(int fd) {
    struct stat st;
    if (fstat(fd, &st) < 0) { return 0; }
    if (!S_ISCHR(st.st_mode)) {
        errno = ENOTTY;
        return 0;
    }
    return 1;
}

ssize_t getdents(int fd, void *buf, size_t len) {
    return ksys_result(ksys_getdents64(fd, buf, len));
}

struct dir {
    int fd;
    ssize_t used;
    ssize_t next;
    char buf[2048] __attribute__((aligned(8)));
};

DIR *opendir(const char *path) {
    DIR *dir = malloc(sizeof *dir);
    if (!dir) { return NULL; }
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0) {
        free(dir);
        return NULL;
    }
    dir->used = dir->next = 0;
    return dir;
}

struct dirent *readdir(DIR *dir) {
    if (dir->next >= dir->used) {
        dir->used = getdents(dir->fd, dir->buf, sizeof dir->buf);
        dir->next = 0;
        if (dir->used <= 0) { return NULL; }
    }
    struct dirent *entry = (struct dirent *)(dir->buf + dir->next);
    dir->next += entry->d_reclen;
    return entry;
}

int closedir(DIR *dir) {
    int result = close(dir->fd);
    free(dir);
    return result;
}

int dirfd(DIR *dir) { return dir->fd; }
