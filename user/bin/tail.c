// SPDX-License-Identifier: MIT
// tail [-n N | -N] [file...] - print the last lines, 10 unless told.
#include <stdlib.h>
#include <tool.h>

static long lines = 10;
static char **kept;  // the last lines read: line number i is at i % lines

static int last_lines(FILE *in, const char *name) {
    long count = 0;
    (void)name;
    for (char *line; lines > 0 && (line = tool_line(in)); count++) {
        free(kept[count % lines]);
        kept[count % lines] = line;
    }
    for (long i = count > lines ? count - lines : 0; i < count; i++) {
        puts(kept[i % lines]);
    }
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    char **files = tool_count(argv + 1, &lines);
    if (!files) { return tool_usage("tail [-n N | -N] [FILE...]"); }
    kept = calloc((size_t)lines + 1, sizeof(*kept));
    return kept ? tool_files("tail", files, last_lines) : tool_error("tail", "that many lines");
}
