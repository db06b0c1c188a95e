// SPDX-License-Identifier: MIT
// head [-n N | -N] [file...] - print the first lines, 10 unless told.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <tool.h>

static long lines = 10;

static int first_lines(FILE *in, const char *name) {
    (void)name;
    for (long left = lines; left > 0; left--) {
        char *line = tool_line(in);
        if (!line || puts(line) < 0) {
            break;
        }
        free(line);
    }
    return 0;
}

int main(int argc, char **argv) {
    char **files = argv + 1;
    if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        bool apart = strcmp(argv[1], "-n") == 0;
        if (!tool_number(apart ? argv[2] : argv[1] + 1, 0, &lines)) {
            return tool_usage("head [-n N | -N] [FILE...]");
        }
        files += 1 + apart;
    }
    return tool_files("head", files, first_lines);
}
