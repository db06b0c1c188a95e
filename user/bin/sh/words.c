// SPDX-License-Identifier: MIT
// words.c - from characters to words, operators and redirections. See sh.h.
#include "sh.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATORS ";&|()<>\n"

const char *at, *wrong;

void skip_blanks(void) {
    while (*at == ' ' || *at == '\t' || (at[0] == '\\' && at[1] == '\n')) {
        at += *at == '\\' ? 2 : 1;
    }
    if (*at == '#') { at += strcspn(at, "\n"); }
}

void skip_lines(void) {
    skip_blanks();
    while (*at == '\n') {
        at++;
        skip_blanks();
    }
}

bool take(const char *token) {
    skip_blanks();
    size_t n = strlen(token);
    if (strncmp(at, token, n) != 0 || (n == 1 && strchr("&|", *token) && at[1] == *token)) {
        return false;
    }
    at += n;
    return true;
}

static void put(struct command *c, char byte) {
    if (c->free == c->text + TEXT_MAX) {
        wrong = "too much text in a command";
    } else {
        *c->free++ = byte;
    }
}

static void put_text(struct command *c, const char *text) {
    while (*text) { put(c, *text++); }
}

// How long the name is that `text` begins with, or 0.
static size_t name_length(const char *text) {
    size_t n = 0;
    for (;; n++) {
        unsigned char c = (unsigned char)text[n];
        if (!isalpha(c) && c != '_' && (n == 0 || !isdigit(c))) { return n; }
    }
}

static void put_number(struct command *c, int number) {
    char digits[16];
    snprintf(digits, sizeof(digits), "%d", number);
    put_text(c, digits);
    at += 2;
}

// The value of what follows a $. false: nothing that has a value does, the $ stands for itself.
static bool put_value(struct command *c) {
    char name[NAME_BYTES];
    bool braces = at[1] == '{';
    const char *from = at + 1 + braces;
    size_t n = name_length(from);
    if (at[1] == '?' || at[1] == '!') {
        put_number(c, at[1] == '?' ? last : (int)background);
        return true;
    }
    if (n == 0 || n >= sizeof(name) || (braces && from[n] != '}')) {
        wrong = braces ? "${ wants a name and a }" : n ? "a name is too long" : wrong;
        return false;
    }
    snprintf(name, sizeof(name), "%.*s", (int)n, from);
    const char *value = getenv(name);
    put_text(c, value ? value : "");
    at = from + n + braces;
    return true;
}

// One character of a word; inside "..." a backslash counts only before what is special there.
static void put_next(struct command *c, char quote) {
    if (at[0] == '\\' && at[1] && (quote == 0 || (quote == '"' && strchr("\"\\$", at[1])))) {
        at++;
    }
    put(c, *at++);
}

// The next word, without its quotes; NULL if an operator or the end comes first. `values` tells
// that it has nothing in it but values.
static char *word(struct command *c, bool *values) {
    char *start = c->free, quote = 0;
    *values = true;
    skip_blanks();
    if (!*at || strchr(OPERATORS, *at)) { return NULL; }
    while (*at && (quote || !strchr(" \t" OPERATORS, *at))) {
        if (*at == '$' && quote != '\'' && put_value(c)) { continue; }
        *values = false;
        if (quote ? *at == quote : *at == '"' || *at == '\'') {
            quote = quote ? 0 : *at;
            at++;
        } else {
            put_next(c, quote);
        }
    }
    put(c, 0);
    if (quote) { wrong = "a quote is not closed"; }
    return start;
}

static bool redirection(struct command *c) {
    static const struct {
        const char *token;
        struct redirection how;
    } kinds[] = {
        {"2>&1", {.fd = 2, .from = 1}},
        {">&2", {.fd = 1, .from = 2}},
        {"2>", {.fd = 2, .from = -1, .flags = O_WRONLY | O_CREAT | O_TRUNC}},
        {">>", {.fd = 1, .from = -1, .flags = O_WRONLY | O_CREAT | O_APPEND}},
        {">", {.fd = 1, .from = -1, .flags = O_WRONLY | O_CREAT | O_TRUNC}},
        {"<", {.fd = 0, .from = -1, .flags = O_RDONLY}},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (take(kinds[i].token)) {
            struct redirection r = kinds[i].how;
            bool values;
            if (r.from < 0 && !(r.path = word(c, &values))) {
                wrong = "a redirection to nowhere";
            } else if (c->redirections == REDIRECTIONS_MAX) {
                wrong = "too many redirections";
            } else {
                c->redirection[c->redirections++] = r;
            }
            return true;
        }
    }
    return false;
}

// Is a NAME= next, before any word of the command?
static bool assignment(const struct command *c) {
    skip_blanks();
    size_t n = name_length(at);
    return n > 0 && at[n] == '=' && c->argc == c->assignments;
}

void read_command(struct command *c) {
    c->argc = c->assignments = c->redirections = 0;
    c->free = c->text;
    for (c->empty = true; !wrong; c->empty = false) {
        bool values;
        if (redirection(c)) { continue; }
        bool assigns = assignment(c);
        char *next = word(c, &values);
        if (!next) { break; }
        if (!*next && values) { continue; }
        if (c->argc == WORDS_MAX) {
            wrong = "too many words in a command";
        } else {
            c->argv[c->argc++] = next;
            c->assignments += assigns;
        }
    }
    c->argv[c->argc] = NULL;
}
