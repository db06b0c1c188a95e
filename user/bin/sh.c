// SPDX-License-Identifier: MIT
// sh.c - a small shell: words with quotes and $?, pipes, < > >> 2>&1, ; & && ||, ( … ), cd, exit, wait.
//
// The line is parsed by recursive descent and run as it is parsed: every function takes `run`, which
// is false for what && and || skip.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 64

static const char *at;  // what is still to be parsed
static int last;        // $?
static bool interactive;

static int run_list(bool run);

static void complain(const char *what, const char *why) {
    fprintf(stderr, "sh: %s: %s\n", what, why);
}

static bool take(const char *token) {
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    size_t n = strlen(token);
    if (strncmp(at, token, n) || (n == 1 && strchr("&|", *token) && at[1] == *token)) {
        return false;
    }
    at += n;
    return true;
}

// The next word, unquoted, into `out`; false if an operator or the end comes first.
static bool word(char **out, const char *end) {
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    if (!*at || strchr(";&|()<>\n", *at) || *at == '#') {
        return false;
    }
    char quote = 0;
    for (; *at && (quote || !strchr(" \t;&|()<>\n", *at)); at++) {
        if (quote ? *at == quote : *at == '"' || *at == '\'') {
            quote = quote ? 0 : *at;
        } else if (at[0] == '$' && at[1] == '?' && quote != '\'') {
            at++;
            *out += snprintf(*out, end - *out, "%d", last);
        } else if (*out < end - 1) {
            *(*out)++ = *at == '\\' && at[1] && quote != '\'' ? *++at : *at;
        }
    }
    *(*out)++ = 0;
    return true;
}

struct command {
    char *argv[WORDS_MAX + 1];
    int argc;
    char text[1024], *free;
    const char *in, *out;
    bool append, err_to_out;
};

static bool redirection(struct command *c) {
    if (take("2>&1")) {
        return c->err_to_out = true;
    }
    const char **which = NULL;
    if (take(">>")) {
        which = &c->out;
        c->append = true;
    } else if (take(">")) {
        which = &c->out;
    } else if (take("<")) {
        which = &c->in;
    }
    if (!which) {
        return false;
    }
    *which = c->free;
    if (!word(&c->free, c->text + sizeof(c->text))) {
        *which = "";
    }
    return true;
}

static void parse_words(struct command *c) {
    for (;;) {
        char *start = c->free;
        if (redirection(c)) {
            continue;
        }
        if (c->argc == WORDS_MAX || !word(&c->free, c->text + sizeof(c->text))) {
            return;
        }
        c->argv[c->argc++] = start;
    }
}

static void redirect(const char *path, int flags, int fd) {
    int from = open(path, flags, 0644);
    if (from < 0) {
        complain(path, strerror(errno));
        _exit(1);
    }
    dup2(from, fd);
    close(from);
}

static void apply(struct command *c) {
    if (c->in) {
        redirect(c->in, O_RDONLY, 0);
    }
    if (c->out) {
        redirect(c->out, O_WRONLY | O_CREAT | (c->append ? O_APPEND : O_TRUNC), 1);
    }
    if (c->err_to_out) {
        dup2(1, 2);
    }
}

static int code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int await(pid_t pid) {
    int status = 0;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? code_of(status) : 1;
}

// cd, exit, wait and help happen in the shell itself. true: it was one of them.
static bool builtin(struct command *c) {
    if (!c->argc) {
        return true;
    }
    const char *name = c->argv[0];
    last = 0;
    if (!strcmp(name, "cd")) {
        const char *to = c->argc > 1 ? c->argv[1] : "/";
        if (chdir(to) < 0) {
            complain(to, strerror(errno));
            last = 1;
        }
    } else if (!strcmp(name, "exit")) {
        exit(c->argc > 1 ? atoi(c->argv[1]) : 0);
    } else if (!strcmp(name, "wait")) {
        while (wait(NULL) > 0) {
        }
    } else if (!strcmp(name, "help")) {
        printf("cd exit help wait  a | b  < > >> 2>&1  ; & && || ( )  $?\nprograms: ls /bin /tests\n");
    } else {
        return false;
    }
    return true;
}

// One stage of a pipeline, already in a child of its own.
static void run_stage(struct command *c, const char *group) {
    apply(c);
    if (group) {
        at = group;
        interactive = false;
        exit(run_list(true));
    }
    if (builtin(c)) {
        exit(last);
    }
    execvp(c->argv[0], c->argv);
    complain(c->argv[0], errno == ENOENT ? "not found" : strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static int run_pipeline(bool run, bool *background_ok) {
    int in = -1;
    pid_t pid = -1;
    for (;;) {
        struct command c = {.argc = 0};
        c.free = c.text;
        const char *group = NULL;
        if (take("(")) {
            group = at;
            run_list(false);
            if (!take(")")) {
                complain("syntax", "missing )");
                last = 2;
                return last;
            }
        }
        parse_words(&c);
        bool more = take("|");
        if (run && !more && in < 0 && !group && builtin(&c)) {
            fflush(stdout);
            return last;
        }
        int fds[2] = {-1, -1};
        if (run && more && pipe(fds) < 0) {
            complain("pipe", strerror(errno));
            return last = 1;
        }
        if (run) {
            fflush(stdout);
            pid = fork();
            if (pid == 0) {
                if (in >= 0) {
                    dup2(in, 0);
                    close(in);
                }
                if (more) {
                    dup2(fds[1], 1);
                    close(fds[0]);
                    close(fds[1]);
                }
                run_stage(&c, group);
            }
            if (pid < 0) {
                complain("fork", strerror(errno));
            }
            if (in >= 0) {
                close(in);
            }
            if (more) {
                close(fds[1]);
                in = fds[0];
            }
        }
        if (!more) {
            break;
        }
    }
    if (!run) {
        return last;
    }
    while (*at == ' ') {
        at++;
    }
    *background_ok = at[0] == '&' && at[1] != '&';
    return *background_ok ? 0 : (last = await(pid));
}

static int run_list(bool run) {
    bool go = run, background;
    for (;;) {
        background = false;
        while (*at == ' ' || *at == '\n' || *at == ';') {
            at++;
        }
        if (!*at || *at == ')' || *at == '#') {
            break;
        }
        const char *before = at;
        int code = run_pipeline(go, &background);
        if (take("&&")) {
            go = run && code == 0;
        } else if (take("||")) {
            go = run && code != 0;
        } else {
            if (take("&")) {
                last = 0;
            }
            go = run;
        }
        if (at == before) {
            complain("syntax", at);
            last = 2;
            break;
        }
    }
    return last;
}

static int run_text(const char *text) {
    at = text;
    run_list(true);
    return last;
}

int main(int argc, char **argv) {
    static char line[2048];
    if (argc > 2 && !strcmp(argv[1], "-c")) {
        return run_text(argv[2]);
    }
    FILE *in = argc > 1 ? fopen(argv[1], "r") : stdin;
    if (!in) {
        complain(argv[1], strerror(errno));
        return 127;
    }
    interactive = argc == 1;
    for (;;) {
        if (interactive) {
            if (write(1, "$ ", 2) < 0) {
                return 1;
            }
            ssize_t n = read(0, line, sizeof(line) - 1);
            if (n <= 0) {
                return last;
            }
            line[n] = 0;
        } else if (!fgets(line, sizeof(line), in)) {
            return last;
        }
        run_text(line);
    }
}
