// SPDX-License-Identifier: MIT
// sys/errno.h - error numbers as Linux/riscv64 has them; picolibc's differ from 35 on.
//
// ERRNO_LIST is the one table: the numbers here and strerror()'s words come from it.
#pragma once

extern __thread int errno;

#define ERRNO_LIST(X)                                                                              \
    X(EPERM, 1, "operation not permitted")                                                         \
    X(ENOENT, 2, "no such file or directory")                                                      \
    X(ESRCH, 3, "no such process")                                                                 \
    X(EINTR, 4, "interrupted")                                                                     \
    X(EIO, 5, "input/output error")                                                                \
    X(ENXIO, 6, "no such device")                                                                  \
    X(E2BIG, 7, "argument list too long")                                                          \
    X(ENOEXEC, 8, "not an executable")                                                             \
    X(EBADF, 9, "bad file descriptor")                                                             \
    X(ECHILD, 10, "no child processes")                                                            \
    X(EAGAIN, 11, "try again")                                                                     \
    X(ENOMEM, 12, "out of memory")                                                                 \
    X(EACCES, 13, "permission denied")                                                             \
    X(EFAULT, 14, "bad address")                                                                   \
    X(EBUSY, 16, "busy")                                                                           \
    X(EEXIST, 17, "exists already")                                                                \
    X(EXDEV, 18, "on another device")                                                              \
    X(ENODEV, 19, "no such device")                                                                \
    X(ENOTDIR, 20, "not a directory")                                                              \
    X(EISDIR, 21, "is a directory")                                                                \
    X(EINVAL, 22, "invalid argument")                                                              \
    X(ENFILE, 23, "too many open files in the system")                                             \
    X(EMFILE, 24, "too many open files")                                                           \
    X(ENOTTY, 25, "not a terminal")                                                                \
    X(EFBIG, 27, "file too large")                                                                 \
    X(ENOSPC, 28, "no space left")                                                                 \
    X(ESPIPE, 29, "cannot seek")                                                                   \
    X(EROFS, 30, "read-only file system")                                                          \
    X(EMLINK, 31, "too many links")                                                                \
    X(EPIPE, 32, "broken pipe")                                                                    \
    X(EDOM, 33, "argument outside the domain")                                                     \
    X(ERANGE, 34, "result out of range")                                                           \
    X(EDEADLK, 35, "deadlock avoided")                                                             \
    X(ENAMETOOLONG, 36, "name too long")                                                           \
    X(ENOSYS, 38, "no such system call")                                                           \
    X(ENOTEMPTY, 39, "directory not empty")                                                        \
    X(ELOOP, 40, "too many links followed")                                                        \
    X(EOVERFLOW, 75, "value too large")                                                            \
    X(EILSEQ, 84, "invalid byte sequence")                                                         \
    X(EOPNOTSUPP, 95, "not supported")                                                             \
    X(ETIMEDOUT, 110, "timed out")

enum errno_number {
#define X(name, number, words) name = number,
    ERRNO_LIST(X)
#undef X
    EWOULDBLOCK = EAGAIN,
    ENOTSUP = EOPNOTSUPP,
};
