// SPDX-License-Identifier: MIT
// ktap.c - see ktap.h.
#include <ktap.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 500 };

static int planned;  // 0: not known until ktap_end
static int done;
static int failed;

// Write prefix, formatted text and a newline as one line.
static void ktap_line(const char *prefix, const char *format, va_list args, const char *suffix) {
    char line[LINE_MAX_BYTES];
    int room = (int)sizeof line - 1;
    int len = snprintf(line, (size_t)room, "%s", prefix);
    len += vsnprintf(line + len, (size_t)(room - len), format, args);
    if (len < room) { len += snprintf(line + len, (size_t)(room - len), "%s", suffix); }
    if (len > room - 1) { len = room - 1; }
    line[len++] = '\n';
    write(1, line, (size_t)len);
}

static void ktap_printf(const char *format, ...) KTAP_PRINTF(1, 2);
static void ktap_printf(const char *format, ...) {
    va_list args;
    va_start(args, format);
    ktap_line("", format, args, "");
    va_end(args);
}

static void ktap_result(bool passed, const char *name, va_list args, const char *suffix) {
    char prefix[40];
    done++;
    failed += !passed;
    snprintf(prefix, sizeof prefix, "%sok %d - ", passed ? "" : "not ", done);
    ktap_line(prefix, name, args, suffix);
}

void ktap_plan(int n) {
    planned = n;
    done = failed = 0;
    ktap_printf("KTAP version 1");
    if (n > 0) { ktap_printf("1..%d", n); }
}

bool ktap_ok(bool passed, const char *name, ...) {
    va_list args;
    va_start(args, name);
    ktap_result(passed, name, args, "");
    va_end(args);
    return passed;
}

bool ktap_is(long got, long want, const char *name, ...) {
    va_list args;
    va_start(args, name);
    ktap_result(got == want, name, args, "");
    va_end(args);
    if (got != want) { ktap_comment("got %ld, want %ld", got, want); }
    return got == want;
}

void ktap_skip(const char *why, const char *name, ...) {
    char suffix[120];
    va_list args;
    snprintf(suffix, sizeof suffix, " # SKIP %s", why);
    va_start(args, name);
    ktap_result(true, name, args, suffix);
    va_end(args);
}

void ktap_comment(const char *text, ...) {
    va_list args;
    va_start(args, text);
    ktap_line("# ", text, args, "");
    va_end(args);
}

void ktap_beat(const char *word, unsigned long number) {
    ktap_printf("# beat %s %lu", word, number);
}

void ktap_bail(const char *text, ...) {
    va_list args;
    va_start(args, text);
    ktap_line("Bail out! ", text, args, "");
    va_end(args);
    _exit(1);
}

int ktap_end(void) {
    if (planned == 0) {
        ktap_printf("1..%d", done);
    } else if (done != planned) {
        ktap_comment("%d tests planned, %d done", planned, done);
        return 1;
    }
    return failed == 0 ? 0 : 1;
}
