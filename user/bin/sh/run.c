// SPDX-License-Identifier: MIT
// run.c - lists, pipelines and their stages. See sh.h.
//
// A pipeline's stages are children of the shell, all waited for; the last one's status counts. A
// background job is one child that runs the whole and_or, its input from /dev/null.
#include "sh.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int last;
pid_t background;

struct pipeline {
    pid_t pids[STAGES_MAX];
    int stages, in;  // in: the end of the last stage's pipe, or -1
};

static bool redirect(const struct redirection *r) {
    int from = r->path ? open(r->path, r->flags, 0644) : r->from;
    if (from < 0) {
        complain(r->path, strerror(errno), 1);
        return false;
    }
    dup2(from, r->fd);
    if (r->path && from != r->fd) { close(from); }
    return true;
}

static bool redirect_all(const struct command *c) {
    for (int i = 0; i < c->redirections; i++) {
        if (!redirect(&c->redirection[i])) { return false; }
    }
    return true;
}

static void assign_all(const struct command *c) {
    for (int i = 0; i < c->assignments; i++) {
        char *equals = strchr(c->argv[i], '=');
        *equals = 0;
        if (setenv(c->argv[i], equals + 1, 1) < 0) {
            complain(c->argv[i], strerror(errno), 1);
        }
    }
}

// Assign, redirect, and let the shell do it itself. Returns the status.
static int run_builtin(const struct command *c, builtin *run) {
    assign_all(c);
    bool has_argument = c->argc > c->assignments + 1;
    return redirect_all(c) ? run(has_argument ? c->argv[c->assignments + 1] : NULL) : 1;
}

// The same, in the shell's own process: the redirections are undone afterwards.
static void run_here(const struct command *c, builtin *run) {
    int kept[3];
    for (int fd = 0; fd < 3; fd++) { kept[fd] = dup(fd); }
    last = run_builtin(c, run);
    for (int fd = 0; fd < 3; fd++) {
        dup2(kept[fd], fd);
        close(kept[fd]);
    }
}

static __attribute__((noreturn)) void run_program(const struct command *c) {
    char *const *argv = c->argv + c->assignments;
    assign_all(c);
    if (!redirect_all(c)) { exit(1); }
    execvp(argv[0], argv);
    bool found = errno != ENOENT && errno != ENOTDIR;
    exit(complain(argv[0], found ? strerror(errno) : "not found",
                  found ? STATUS_CANNOT : STATUS_NOT_FOUND));
}

// Run a text in a child of its own, which ends with it.
static __attribute__((noreturn)) void run_part(const char *text, void (*part)(bool run)) {
    at = text;
    part(true);
    exit(wrong ? complain("syntax", wrong, STATUS_SYNTAX) : last);
}

// One stage, in a child of its own: `group` is the text of a ( list ).
static __attribute__((noreturn)) void run_stage(const struct command *c, const char *group) {
    builtin *run = builtin_of(c);
    if (!group && run) { exit(run_builtin(c, run)); }
    if (!group) { run_program(c); }
    if (!redirect_all(c)) { exit(1); }
    run_part(group, run_list);
}

static void connect(int in, const int out[2]) {
    if (in >= 0) {
        dup2(in, 0);
        close(in);
    }
    if (out[1] >= 0) {
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
    }
}

// Start one stage that reads from the one before. false: it could not be started.
static bool start_stage(struct pipeline *p, struct command *c, const char *group, bool more) {
    int out[2] = {-1, -1};
    if (more && pipe(out) < 0) {
        last = complain("pipe", strerror(errno), 1);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        connect(p->in, out);
        run_stage(c, group);
    }
    if (pid < 0) {
        last = complain("fork", strerror(errno), 1);
    } else {
        p->pids[p->stages++] = pid;
    }
    close(p->in);
    close(out[1]);
    p->in = out[0];
    return pid > 0;
}

// Read one stage; the text of a group, or NULL.
static const char *read_stage(struct command *c) {
    const char *group = take("(") ? at : NULL;
    bool nothing = false;
    if (group) {
        skip_lines();
        nothing = *at == ')';
        run_list(false);
        if (!take(")")) { wrong = wrong ? wrong : "a ( is not closed"; }
    }
    read_command(c);
    if (!wrong && (group ? nothing || c->argc > 0 : c->empty)) {
        wrong = "a command was expected";
    }
    return group;
}

static void run_pipeline(bool run) {
    struct pipeline p = {.in = -1};
    struct command c;
    bool more;
    for (int stage = 0; stage == 0 || (more && !wrong); stage++) {
        const char *group = read_stage(&c);
        if ((more = take("|"))) {
            wrong = stage == STAGES_MAX - 1 ? "too many stages" : wrong;
            skip_lines();
        }
        if (!run || wrong) { continue; }
        builtin *here = p.stages == 0 && !more && !group ? builtin_of(&c) : NULL;
        if (here) {
            run_here(&c, here);
            return;
        }
        run = start_stage(&p, &c, group, more);
    }
    close(p.in);
    for (int i = 0; i < p.stages; i++) {
        int code = await(p.pids[i]);
        last = run ? code : 1;
    }
}

static void run_and_or(bool run) {
    bool go = run;
    for (;;) {
        run_pipeline(go);
        if (take("&&")) {
            go = run && last == 0;
        } else if (take("||")) {
            go = run && last != 0;
        } else {
            return;
        }
        skip_lines();
    }
}

// `text` to `end` is what is to be done. A single stage becomes the child itself, so that a signal
// for $! reaches the program.
static __attribute__((noreturn)) void become_background(const char *text, const char *end) {
    static const struct redirection no_input = {.fd = 0, .path = "/dev/null", .flags = O_RDONLY};
    struct command c;
    redirect(&no_input);
    at = text;
    const char *group = read_stage(&c);
    skip_blanks();
    if (at == end) { run_stage(&c, group); }
    run_part(text, run_and_or);
}

static void start_background(const char *text, const char *end) {
    background = fork();
    if (background == 0) { become_background(text, end); }
    last = background < 0 ? complain("fork", strerror(errno), 1) : 0;
}

void run_list(bool run) {
    static int depth;
    if (++depth > DEPTH_MAX) { wrong = "too many ( inside each other"; }
    for (skip_lines(); *at && *at != ')' && !wrong; skip_lines()) {
        const char *start = at;
        run_and_or(false);
        skip_blanks();
        const char *end = at;
        bool behind = take("&");
        if (run && behind) {
            start_background(start, end);
        } else if (run && !wrong) {
            at = start;
            run_and_or(true);
            at = end;
        }
        if (!behind && !take(";") && *at && *at != '\n' && *at != ')') {
            wrong = wrong ? wrong : "an operator was not expected";
        }
    }
    depth--;
}
