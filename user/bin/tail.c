// SPDX-License-Identifier: MIT
// tail [-n N | -N] [file...] - print the last lines, 10 unless told.
#include <stdlib.h>
#include <string.h>
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
    char **files = argv + 1;
    if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        bool apart = strcmp(argv[1], "-n") == 0;
        if (!tool_number(apart ? argv[2] : argv[1] + 1, 0, &lines)) {
            return tool_usage("tail [-n N | -N] [FILE...]");
        }
        files += 1 + apart;
    }
    kept = calloc((size_t)lines + 1, sizeof(*kept));
    return kept ? tool_files("tail", files, last_lines) : tool_error("tail", "that many lines");
}
