// SPDX-License-Identifier: MIT
// cat [file...] - copy files, or the standard input (also as -), to the standard output.
#include <fcntl.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

static int copy(int fd, const char *name) {
    char buf[4096];
    ssize_t n;
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        if (write(1, buf, (size_t)n) != n) {
            return tool_error("cat", "standard output");
        }
    }
    return n < 0 ? tool_error("cat", name) : 0;
}

static int copy_file(const char *name) {
    if (strcmp(name, "-") == 0) { return copy(0, name); }
    int fd = open(name, O_RDONLY);
    if (fd < 0) { return tool_error("cat", name); }
    int failed = copy(fd, name);
    close(fd);
    return failed;
}

int main(int argc, char **argv) {
    int failed = argc > 1 ? 0 : copy_file("-");
    for (int i = 1; i < argc; i++) { failed |= copy_file(argv[i]); }
    return failed;
}
