// SPDX-License-Identifier: MIT
// tee [file...] - copy the standard input to the standard output and to each file.
#include <fcntl.h>
#include <tool.h>
#include <unistd.h>

enum { FILES_MAX = 32 };

int main(int argc, char **argv) {
    char buf[4096];
    int fd[FILES_MAX] = {1}, failed = 0;
    if (argc > FILES_MAX) { return tool_usage("tee [FILE...], at most 31"); }
    for (int i = 1; i < argc; i++) {
        fd[i] = open(argv[i], O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (fd[i] < 0) { failed = tool_error("tee", argv[i]); }
    }
    for (ssize_t n; (n = read(0, buf, sizeof(buf))) > 0;) {
        for (int i = 0; i < argc; i++) {
            if (fd[i] >= 0 && write(fd[i], buf, (size_t)n) != n) {
                failed = tool_error("tee", i ? argv[i] : "standard output");
                fd[i] = -1;
            }
        }
    }
    return failed;
}
