// SPDX-License-Identifier: MIT
// wc [-clw] [file...] - count lines, words and bytes; -l, -w, -c only those.
#include <ctype.h>
#include <tool.h>
#include <unistd.h>

static bool lines, words, bytes, names;

// Prints a column if it is wanted; returns what stands before the next one.
static const char *column(bool wanted, const char *gap, long n) {
    if (!wanted) { return gap; }
    printf("%s%7ld", gap, n);
    return " ";
}

static int count(FILE *in, const char *name) {
    long l = 0, w = 0, b = 0;
    bool inside = false;
    for (int c; (c = getc(in)) != EOF; b++) {
        l += c == '\n';
        w += !isspace(c) && !inside;
        inside = !isspace(c);
    }
    column(bytes, column(words, column(lines, "", l), w), b);
    printf("%s%s\n", names ? " " : "", names ? name : "");
    return 0;
}

int main(int argc, char **argv) {
    for (int c; (c = getopt(argc, argv, "clw")) != -1;) {
        if (c == '?') { return tool_usage("wc [-clw] [FILE...]"); }
        *(c == 'l' ? &lines : c == 'w' ? &words : &bytes) = true;
    }
    if (!lines && !words && !bytes) { lines = words = bytes = true; }
    names = optind < argc;
    return tool_files("wc", argv + optind, count);
}
