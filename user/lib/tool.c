// SPDX-License-Identifier: MIT
// tool.c - see tool.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

int tool_usage(const char *text) {
    fprintf(stderr, "usage: %s\n", text);
    return 2;
}

int tool_error(const char *tool, const char *what) {
    fprintf(stderr, "%s: %s: %s\n", tool, what, strerror(errno));
    return 1;
}

bool tool_number(const char *text, long least, long *number) {
    char *end;
    *number = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end && *number >= least;
}

char **tool_count(char **words, long *number) {
    if (!words[0] || words[0][0] != '-' || !words[0][1]) { return words; }
    bool apart = strcmp(words[0], "-n") == 0;
    return tool_number(apart ? words[1] : words[0] + 1, 0, number) ? words + 1 + apart : NULL;
}

char *tool_line(FILE *in) {
    size_t used = 0, room = 0;
    char *line = NULL;
    for (int c; (c = getc(in)) != EOF || used > 0;) {
        if (used + 1 >= room) {
            room = room ? 2 * room : 128;
            char *more = realloc(line, room);
            if (!more) {
                free(line);
                return NULL;
            }
            line = more;
        }
        if (c == EOF || c == '\n') {
            line[used] = 0;
            return line;
        }
        line[used++] = (char)c;
    }
    return NULL;
}

int tool_files(const char *tool, char **files, int (*act)(FILE *in, const char *name)) {
    static char *none[] = {"-", NULL};
    int result = 0, failed = 0;
    for (char **f = *files ? files : none; *f; f++) {
        FILE *in = strcmp(*f, "-") == 0 ? stdin : fopen(*f, "r");
        if (!in) {
            failed = tool_error(tool, *f);
            continue;
        }
        errno = 0;
        result += act(in, *f);
        if (errno) {  // the stream only knows that there is no more
            failed = tool_error(tool, *f);
        }
        if (in != stdin) { fclose(in); }
    }
    return failed ? failed : result;
}

int tool_run(const char *tool, char **argv) {
    execvp(argv[0], argv);
    tool_error(tool, argv[0]);
    return errno == ENOENT ? 127 : 126;
}
