// SPDX-License-Identifier: MIT
// yes [word...] - print the words, or y, for ever: until nobody reads them.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char line[1024] = "y";
    size_t len = 0;
    for (int i = 1; i < argc && len < sizeof(line) - 1; i++) {
        len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s", i > 1 ? " " : "", argv[i]);
    }
    len = strlen(line);
    line[len++] = '\n';  // in place of the NUL
    while (write(1, line, len) == (ssize_t)len) {
    }
    return 1;
}
