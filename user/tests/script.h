// SPDX-License-Identifier: MIT
// script.h - tests of programs as a user sees them: texts for the shell, what they print and how
// they end.
//
// Model   Each script runs in a shell of its own, its input from a pipe that holds `input`, output
//         and error messages into another. Both together must be `says`, to the byte, except that
//         an @ in `says` stands for one or more digits and dots. Each script is one result, named
//         by its text, with the books closed after it.
#pragma once
#include "common.h"

struct script {
    const char *text;    // for sh -c; or NULL: the shell reads its input
    const char *says;
    int status;
    const char *input;
};

enum { OUTPUT_MAX = 8192 };

static const struct script *current;
static char output[OUTPUT_MAX];

static inline __attribute__((noreturn)) void become_shell(const struct gate *in,
                                                          const struct gate *out) {
    const char *argv[] = {"/bin/sh", current->text ? "-c" : NULL, current->text, NULL};
    const char *env[] = {"PATH=/bin:/tests", NULL};
    ksys_dup3(in->ends[0], 0, 0);
    ksys_dup3(out->ends[1], 1, 0);
    ksys_dup3(out->ends[1], 2, 0);
    gate_free(in);
    gate_free(out);
    ksys_execve(argv[0], argv, env);
    ksys_exit_group(99);
    __builtin_unreachable();
}

// Everything up to the end of all writers, as text.
static inline void read_output(int fd) {
    size_t used = 0;
    long n;
    while ((n = ksys_read(fd, output + used, sizeof(output) - 1 - used)) > 0) {
        used += (size_t)n;
    }
    CHECK_EQ(n, 0);
    output[used] = 0;
}

static inline bool says(const char *got, const char *want) {
    for (; *want; want++) {
        if (*want != '@') {
            if (*got++ != *want) { return false; }
            continue;
        }
        size_t digits = strspn(got, "0123456789.");
        if (digits == 0) { return false; }
        got += digits;
    }
    return !*got;
}

// As comments, a line each.
static inline void show_output(const char *text) {
    while (*text) {
        int len = (int)strcspn(text, "\n");
        ktap_comment("    %.*s", len, text);
        text += len + (text[len] == '\n');
    }
}

// Run `current` and leave what it printed in `output`. Returns its wait status.
static int start_script(void) {
    struct gate in = gate_new(), out = gate_new();
    if (current->input) {
        long len = (long)strlen(current->input);
        CHECK_EQ(ksys_write(in.ends[1], current->input, (usize)len), len);
    }
    int pid = spawn();
    if (pid == 0) { become_shell(&in, &out); }
    ksys_close(in.ends[1]);
    ksys_close(out.ends[1]);
    read_output(out.ends[0]);
    ksys_close(in.ends[0]);
    ksys_close(out.ends[0]);
    return reap(pid);
}

static void run_script(void) {
    CHECK_EQ(start_script(), EXITED(current->status));
    if (!says(output, current->says)) {
        checks_failed++;
        ktap_comment("it printed");
        show_output(output);
        ktap_comment("and not");
        show_output(current->says);
    }
}

static inline const char *script_name(const struct script *s) {
    static char name[160];
    size_t n = 0;
    for (const char *p = s->text ? s->text : s->input; *p && n < sizeof(name) - 1; p++) {
        name[n++] = *p == '\n' ? ';' : *p == '#' ? '~' : *p;  // # would begin a directive
    }
    name[n] = 0;
    return name;
}

// Run all scripts and then the test `more` (or NULL), or only the one of that number. Returns
// main's exit status.
static inline int run_scripts(const struct script *scripts, int count, const struct test *more,
                              int only) {
    bool kine = have_kine();
    int total = count + (more != NULL);
    ktap_plan(only >= 0 ? 1 : total);
    status_of(nothing, NULL);
    for (int i = 0; i < total; i++) {
        if (only < 0 || only == i) {
            current = i < count ? &scripts[i] : NULL;
            const struct test t = {current ? script_name(current) : more->name,
                                   current ? run_script : more->run, false};
            ktap_ok(run_one(&t, kine), "%d: %s", i, t.name);
        }
    }
    return ktap_end();
}
