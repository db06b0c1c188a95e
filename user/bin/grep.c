// SPDX-License-Identifier: MIT
// grep [-Fcnqv] pattern [file...] - print the lines that match.
//
// In a pattern ^ is the beginning of a line, $ its end, . any character, x* any number of x, \x the
// character x itself; with -F all of it is plain text. Status 0: a line matched, 1: none, 2: error.
// The matcher is the one that backtracks by recursion; its depth is at most the pattern's length.
#include <stdlib.h>
#include <string.h>
#include <tool.h>
#include <unistd.h>

static const char *pattern;
static bool fixed, only_count, numbers, quiet, inverse, names;
static long found;

static bool match_here(const char *p, const char *text);

// One element of the pattern against one character.
static bool match_one(const char *p, char c) {
    return c && (*p == '\\' && p[1] ? p[1] == c : *p == '.' || *p == c);
}

static bool match_star(const char *one, const char *rest, const char *text) {
    do {
        if (match_here(rest, text)) { return true; }
    } while (match_one(one, *text++));
    return false;
}

static bool match_here(const char *p, const char *text) {
    for (;; text++) {
        int len = p[0] == '\\' && p[1] ? 2 : 1;
        if (!*p) { return true; }
        if (p[len] == '*') { return match_star(p, p + len + 1, text); }
        if (p[0] == '$' && !p[1]) { return !*text; }
        if (!match_one(p, *text)) { return false; }
        p += len;
    }
}

static bool match(const char *text) {
    if (fixed) { return strstr(text, pattern) != NULL; }
    if (*pattern == '^') { return match_here(pattern + 1, text); }
    do {
        if (match_here(pattern, text)) { return true; }
    } while (*text++);
    return false;
}

static void show(const char *name, long number, const char *line) {
    if (names) { printf("%s:", name); }
    if (numbers && !only_count) { printf("%ld:", number); }
    if (only_count) {
        printf("%ld\n", number);
    } else {
        printf("%s\n", line);
    }
}

static int search(FILE *in, const char *name) {
    long count = 0, number = 0;
    for (char *line; (line = tool_line(in)) && !ferror(stdout); free(line)) {
        number++;
        if (match(line) == inverse) { continue; }
        count++;
        if (!quiet && !only_count) { show(name, number, line); }
    }
    if (only_count && !quiet) { show(name, count, NULL); }
    found += count;
    return 0;
}

int main(int argc, char **argv) {
    for (int c; (c = getopt(argc, argv, "Fcnqv")) != -1;) {
        bool *flag = c == 'F'   ? &fixed
                     : c == 'c' ? &only_count
                     : c == 'n' ? &numbers
                     : c == 'q' ? &quiet
                     : c == 'v' ? &inverse
                                : NULL;
        if (!flag) { return tool_usage("grep [-Fcnqv] PATTERN [FILE...]"); }
        *flag = true;
    }
    if (optind == argc) { return tool_usage("grep [-Fcnqv] PATTERN [FILE...]"); }
    pattern = argv[optind++];
    names = argc - optind > 1;
    int failed = tool_files("grep", argv + optind, search);
    return failed ? 2 : found == 0;
}
