// SPDX-License-Identifier: MIT
// uniq [-cd] [file...] - one of each run of equal lines; -c with their number, -d only if there are
// several.
#include <stdlib.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

static bool counts, repeated;

static void show(char *line, long n) {
    if (line && (n > 1 || !repeated)) {
        if (counts) { printf("%7ld ", n); }
        puts(line);
    }
    free(line);
}

static int squeeze(FILE *in, const char *name) {
    char *line, *before = NULL;
    long n = 0;
    (void)name;
    while ((line = tool_line(in)) && !ferror(stdout)) {
        if (before && strcmp(line, before) == 0) {
            n++;
            free(line);
            continue;
        }
        show(before, n);
        before = line;
        n = 1;
    }
    show(before, n);
    return 0;
}

int main(int argc, char **argv) {
    for (int c; (c = getopt(argc, argv, "cd")) != -1;) {
        if (c == '?') { return tool_usage("uniq [-cd] [FILE...]"); }
        *(c == 'c' ? &counts : &repeated) = true;
    }
    return tool_files("uniq", argv + optind, squeeze);
}
