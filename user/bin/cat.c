// SPDX-License-Identifier: MIT
// cat.c - copy files, or the standard input, to the standard output.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int copy(int fd, const char *name) {
    char buf[4096];
    ssize_t n;
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        if (write(1, buf, n) != n) {
            return 1;
        }
    }
    if (n < 0) {
        perror(name);
    }
    return n < 0;
}

int main(int argc, char **argv) {
    int failed = argc > 1 ? 0 : copy(0, "standard input");
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        if (fd < 0) {
            perror(argv[i]);
            failed = 1;
            continue;
        }
        failed |= copy(fd, argv[i]);
        close(fd);
    }
    return failed;
}
