// SPDX-License-Identifier: MIT
// env [-i] [NAME=VALUE...] [command...] - run a command in a changed environment, or print that; -i
// starts from an empty one.
#include <stdlib.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char **word = argv + 1;
    if (argc > 1 && strcmp(*word, "-i") == 0) {
        static char *nothing[] = {NULL};
        environ = nothing;
        word++;
    }
    for (char *equals; *word && (equals = strchr(*word, '=')); word++) {
        *equals = 0;
        if (equals == *word || setenv(*word, equals + 1, 1) < 0) {
            return tool_usage("env [-i] [NAME=VALUE...] [COMMAND...]");
        }
    }
    if (*word) { return tool_run("env", word); }
    for (char **e = environ; *e; e++) { puts(*e); }
    return 0;
}
