// SPDX-License-Identifier: MIT
// hexdump [file...] - bytes in hexadecimal and as text, 16 a line.
#include <ctype.h>
#include <tool.h>

static unsigned long at;

static void show(const unsigned char *row, size_t n) {
    printf("%08lx ", at);
    for (size_t i = 0; i < 16; i++) {
        printf(i == 8 ? "  " : " ");
        if (i < n) {
            printf("%02x", row[i]);
        } else {
            printf("  ");
        }
    }
    printf("  |");
    for (size_t i = 0; i < n; i++) {
        putchar(row[i] >= 32 && row[i] < 127 ? row[i] : '.');
    }
    printf("|\n");
    at += n;
}

static int dump(FILE *in, const char *name) {
    unsigned char row[16];
    (void)name;
    for (size_t n; (n = fread(row, 1, sizeof(row), in)) > 0 && !ferror(stdout);) {
        show(row, n);
    }
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    int failed = tool_files("hexdump", argv + 1, dump);
    if (at) { printf("%08lx\n", at); }
    return failed;
}
