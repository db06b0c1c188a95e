// SPDX-License-Identifier: MIT
// main.c - where the shell's text comes from: -c, a file, or line by line the standard input; and
// the commands that it does itself. See sh.h.
#include "sh.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[16 * TEXT_MAX];
static bool interactive;
static struct {
    pid_t pid;
    int code;
} ended;  // the last background job, if it was buried before anybody waited for it

int complain(const char *what, const char *why, int status) {
    fprintf(stderr, "sh: %s: %s\n", what, why);
    return status;
}

static int code_of(int status) {
    static const char *const words[] = {
#define X(name, number, text) [number] = text,
        SIGNAL_LIST(X)
#undef X
    };
    if (!WIFSIGNALED(status)) { return WEXITSTATUS(status); }
    int sig = WTERMSIG(status);
    bool known = sig < (int)(sizeof(words) / sizeof(words[0])) && words[sig];
    if (interactive && known && sig != SIGPIPE) { complain("ended", words[sig], 0); }
    return STATUS_SIGNAL + sig;
}

int await(pid_t pid) {
    int status;
    if (pid > 0 && pid == ended.pid) { return ended.code; }
    return waitpid(pid, &status, 0) < 0 ? STATUS_NOT_FOUND : code_of(status);
}

static void bury(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        int code = code_of(status);
        if (pid == background) {
            ended.pid = pid;
            ended.code = code;
        }
    }
}

static int change_folder(const char *to) {
    to = to ? to : "/";
    return chdir(to) == 0 ? 0 : complain(to, strerror(errno), 1);
}

static bool number(const char *from, long *to) {
    char *end;
    *to = strtol(from, &end, 10);
    return *from && !*end;
}

static int leave(const char *status) {
    long code = last;
    if (status && !number(status, &code)) {
        return complain(status, "exit wants a number", STATUS_SYNTAX);
    }
    exit((int)code & 255);
}

static int forget(const char *name) {
    return name && unsetenv(name) < 0 ? complain(name, "not a name", STATUS_SYNTAX) : 0;
}

static int wait_for(const char *which) {
    long pid;
    if (!which) {
        while (wait(NULL) > 0) {
        }
        return 0;
    }
    if (!number(which, &pid) || pid <= 0) {
        return complain(which, "wait wants a process", STATUS_SYNTAX);
    }
    return await((pid_t)pid);
}

static int nothing(const char *unused) {
    (void)unused;
    return 0;
}

builtin *builtin_of(const struct command *c) {
    static const struct {
        const char *name;
        builtin *run;
    } builtins[] = {{"cd", change_folder}, {"exit", leave}, {"unset", forget}, {"wait", wait_for}};
    if (c->argc == c->assignments) { return nothing; }
    for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
        if (strcmp(c->argv[c->assignments], builtins[i].name) == 0) {
            return builtins[i].run;
        }
    }
    return NULL;
}

int run_text(const char *from) {
    at = from;
    wrong = NULL;
    run_list(false);
    if (!wrong && *at) { wrong = "a ) was not expected"; }
    if (wrong) { return last = complain("syntax", wrong, STATUS_SYNTAX); }
    at = from;
    run_list(true);
    return wrong ? last = complain("syntax", wrong, STATUS_SYNTAX) : last;
}

// A line, byte by byte: what follows belongs to the programs that the line starts. Returns its
// length; 0 at the end, and all of the room for a line that is longer.
static size_t read_line(void) {
    size_t n = 0;
    char byte = 0;
    while (byte != '\n' && read(0, &byte, 1) == 1) {
        text[n] = byte;
        n += n < sizeof(text) - 1;
    }
    text[n] = 0;
    return n;
}

static int run_lines(void) {
    interactive = isatty(0) && isatty(1);
    for (;;) {
        bury();
        if (interactive) { write(1, "$ ", 2); }
        size_t n = read_line();
        if (n == 0) { return last; }
        last = n < sizeof(text) - 1 ? run_text(text)
                                    : complain("input", "a line is too long", STATUS_SYNTAX);
    }
}

static int run_file(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t n = -1;
    while (fd >= 0 && used < sizeof(text) && (n = read(fd, text + used, sizeof(text) - used)) > 0) {
        used += (size_t)n;
    }
    if (n < 0) { return complain(path, strerror(errno), STATUS_NOT_FOUND); }
    if (used == sizeof(text)) { return complain(path, "too long", STATUS_CANNOT); }
    return run_text(text);
}

int main(int argc, char **argv) {
    if (argc == 1) { return run_lines(); }
    if (strcmp(argv[1], "-c") != 0) { return run_file(argv[1]); }
    return argc > 2 ? run_text(argv[2]) : complain("usage", "sh [-c TEXT | FILE]", STATUS_SYNTAX);
}
