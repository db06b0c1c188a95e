// SPDX-License-Identifier: MIT
// stdio.c - what picolibc's stdio wants from the system: three streams, open flags, error words.
//
// stdout and stderr are line buffered and written out at exit; a line is one write(2), so lines of
// different processes do not mix. Buffers are copied by fork: whoever prints on both sides of a
// fork flushes first, or uses ktap.h, which does not buffer.
#include <errno.h>
#include <fcntl.h>
#include <stdio-bufio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char in_buf[BUFSIZ], out_buf[BUFSIZ], err_buf[BUFSIZ];

static struct __file_bufio in_file =
    FDEV_SETUP_BUFIO(0, in_buf, BUFSIZ, read, write, lseek, close, __SRD, 0);
static struct __file_bufio out_file =
    FDEV_SETUP_BUFIO(1, out_buf, BUFSIZ, read, write, lseek, close, __SWR, __BLBF);
static struct __file_bufio err_file =
    FDEV_SETUP_BUFIO(2, err_buf, BUFSIZ, read, write, lseek, close, __SWR, __BLBF);

FILE *const stdin = &in_file.xfile.cfile.file;
FILE *const stdout = &out_file.xfile.cfile.file;
FILE *const stderr = &err_file.xfile.cfile.file;

// Write out what is left, when the program ends by exit() or by returning from main.
__attribute__((destructor)) static void stdio_flush(void) {
    fflush(stdout);
    fflush(stderr);
}

// fopen's helper: stream flags as the result, open(2) flags (Linux's) through *open_flags.
int __stdio_sflags(const char *mode, int *open_flags) {
    int plus = strchr(mode, '+') != NULL;
    switch (mode[0]) {
    case 'r':
        *open_flags = plus ? O_RDWR : O_RDONLY;
        return plus ? __SRD | __SWR : __SRD;
    case 'w':
        *open_flags = (plus ? O_RDWR : O_WRONLY) | O_CREAT | O_TRUNC;
        return plus ? __SRD | __SWR : __SWR;
    case 'a':
        *open_flags = (plus ? O_RDWR : O_WRONLY) | O_CREAT | O_APPEND;
        return plus ? __SRD | __SWR : __SWR;
    default:
        errno = EINVAL;
        return 0;
    }
}

char *strerror(int error) {
    static char unknown[32];
    switch (error) {
    case 0:
        return "no error";
#define X(name, number, words)                                                                     \
    case name:                                                                                     \
        return words;
        ERRNO_LIST(X)
#undef X
    default:
        snprintf(unknown, sizeof unknown, "error %d", error);
        return unknown;
    }
}

void __assert_func(const char *file, int line, const char *function, const char *expression) {
    char text[256];
    int len = snprintf(text, sizeof text, "%s:%d: %s: assertion failed: %s\n", file, line,
                       function, expression);
    write(2, text, len < (int)sizeof text ? (size_t)len : sizeof text - 1);
    abort();
}
