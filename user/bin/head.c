// SPDX-License-Identifier: MIT
// head [-n N | -N] [file...] - print the first lines, 10 unless told.
#include <stdlib.h>
#include <tool.h>

static long lines = 10;

static int first_lines(FILE *in, const char *name) {
    (void)name;
    for (long left = lines; left > 0; left--) {
        char *line = tool_line(in);
        if (!line || puts(line) < 0) { break; }
        free(line);
    }
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    char **files = tool_count(argv + 1, &lines);
    if (!files) { return tool_usage("head [-n N | -N] [FILE...]"); }
    return tool_files("head", files, first_lines);
}
