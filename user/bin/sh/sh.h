// SPDX-License-Identifier: MIT
// sh.h - a small shell: words.c takes text apart, run.c does what it says, main.c reads it.
//
//     list      and_or, ended by ; & or a new line, again and again
//     and_or    pipeline && pipeline || pipeline ...
//     pipeline  stage | stage ...
//     stage     ( list ) or NAME=word... word..., with redirections: < > >> 2> 2>&1 >&2
//     word      characters, '...', "...", \c, $NAME, ${NAME}, $? (the last status), $! (the last
//               background pid); # begins a comment
//
// Model   A text is read twice by the same recursive descent: first with run = false, which only
//         finds errors, so that nothing is done of a text that is wrong; then it is run as it is
//         read. run is false too for what && and || skip.
// Values  Variables are the environment: every program started gets all of them. A value is never
//         taken apart into words; a word that is made only of empty values is left out.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

enum { WORDS_MAX = 128, TEXT_MAX = 4096, STAGES_MAX = 32, REDIRECTIONS_MAX = 8,
       DEPTH_MAX = 32, NAME_BYTES = 64 };
enum { STATUS_SYNTAX = 2, STATUS_CANNOT = 126, STATUS_NOT_FOUND = 127, STATUS_SIGNAL = 128 };

struct redirection {
    int fd, from;      // fd becomes a copy of `from`, or
    const char *path;  // the file that is named
    int flags;
};

struct command {
    char *argv[WORDS_MAX + 1];  // the assignments come first, then the command's words
    int argc, assignments, redirections;
    bool empty;  // nothing was written there, not even a word without a value
    struct redirection redirection[REDIRECTIONS_MAX];
    char text[TEXT_MAX], *free;
};

extern const char *at;     // what is still to be read
extern const char *wrong;  // the first error in the text, or NULL
extern int last;           // $?
extern pid_t background;   // $!

void skip_blanks(void);
void skip_lines(void);

// Is `token` next? Then step over it. & and | are not taken for && and ||.
bool take(const char *token);

// Read the words and redirections of one command.
void read_command(struct command *c);

// Run (or only read) a list; the result is in `last`.
void run_list(bool run);

// What the shell does itself: cd, exit, unset, wait, or nothing but assignments. NULL: a program.
typedef int builtin(const char *arg);
builtin *builtin_of(const struct command *c);

// Say on stderr what went wrong. Returns `status`.
int complain(const char *what, const char *why, int status);

// Wait for a child; its status as $? has it.
int await(pid_t pid);

// Check a text and run it. Returns `last`.
int run_text(const char *text);
