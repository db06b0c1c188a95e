// SPDX-License-Identifier: MIT
// sort [-nru] [file...] - lines in order of their bytes; -n by the number they begin with, -r the
// other way round, -u each only once.
#include <stdlib.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

static char **lines;
static size_t count, room;
static bool numeric, reverse, unique;

static int collect(FILE *in, const char *name) {
    (void)name;
    for (char *line; (line = tool_line(in)); lines[count++] = line) {
        if (count == room) {
            room = room ? 2 * room : 256;
            char **more = realloc(lines, room * sizeof(*lines));
            if (!more) { exit(tool_error("sort", "so many lines")); }
            lines = more;
        }
    }
    return 0;
}

// Equal numbers go by their text, so that the order is total.
static int compare(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    long m = numeric ? strtol(x, NULL, 10) : 0, n = numeric ? strtol(y, NULL, 10) : 0;
    int order = m != n ? (m > n) - (m < n) : strcmp(x, y);
    return reverse ? -order : order;
}

int main(int argc, char **argv) {
    for (int c; (c = getopt(argc, argv, "nru")) != -1;) {
        if (c == '?') { return tool_usage("sort [-nru] [FILE...]"); }
        *(c == 'n' ? &numeric : c == 'r' ? &reverse : &unique) = true;
    }
    int failed = tool_files("sort", argv + optind, collect);
    qsort(lines, count, sizeof(*lines), compare);
    for (size_t i = 0; i < count && !ferror(stdout); i++) {
        if (!unique || i == 0 || strcmp(lines[i], lines[i - 1]) != 0) { puts(lines[i]); }
    }
    return failed;
}
