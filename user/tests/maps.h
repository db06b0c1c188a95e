// SPDX-License-Identifier: MIT
// maps.h - /proc/self/maps, read and taken apart. A line that is not as Linux's are is a failure.
#pragma once
#include "common.h"
#include <stdlib.h>

#define MAPS "/proc/self/maps"
enum { LINES_MAX = 500, NAME_MAX_ = 256 };

struct line {
    uintptr_t start, end;
    char rights[5];
    unsigned long off, dev, ino;
    char name[NAME_MAX_];
};

static char text[LINES_MAX * 100];
static struct line lines[LINES_MAX];
static int nlines;

static inline int open_maps(void) {
    int fd = (int)ksys_openat(AT_FDCWD, MAPS, O_RDONLY, 0);
    CHECK(fd >= 0);
    return fd;
}

// A number of at least `digits` digits, and what follows it. NULL: it is something else.
static inline const char *parse_number(const char *s, int base, int digits, char then, unsigned long *value) {
    char *end;
    if (!s || *s == '-' || *s == ' ') { return NULL; }
    *value = strtoul(s, &end, base);
    return end - s >= digits && *end == then ? end + 1 : NULL;
}

static inline const char *parse_rights(const char *s, char rights[5]) {
    if (!s) { return NULL; }
    memcpy(rights, s, 4);
    rights[4] = 0;
    bool good = true;
    for (int i = 0; i < 3; i++) { good &= s[i] == "rwx"[i] || s[i] == '-'; }
    return good && (s[3] == 'p' || s[3] == 's') && s[4] == ' ' ? s + 5 : NULL;
}

// What follows the line, or NULL.
static inline const char *parse_line(const char *s, struct line *l) {
    unsigned long major;
    const char *begin = s;
    s = parse_number(s, 16, 8, '-', &l->start);
    s = parse_number(s, 16, 8, ' ', &l->end);
    s = parse_rights(s, l->rights);
    s = parse_number(s, 16, 8, ' ', &l->off);
    s = parse_number(s, 16, 2, ':', &major);
    s = parse_number(s, 16, 2, ' ', &l->dev);
    s = parse_number(s, 10, 1, ' ', &l->ino);
    const char *end = s ? strchr(s, '\n') : NULL;
    if (!end || major || l->start >= l->end || (l->start | l->end | l->off) % PAGE) { return NULL; }
    const char *name = end > s ? begin + 73 : end;
    if (name > end || end - name >= NAME_MAX_) { return NULL; }
    for (; s < name; s++) {
        if (*s != ' ') { return NULL; }
    }
    memcpy(l->name, name, (size_t)(end - name));
    l->name[end - name] = 0;
    return end + 1;
}

// Read all of it, by so many bytes at a time: well-formed lines, in order, none over another.
static inline void read_maps(size_t piece) {
    int fd = open_maps();
    size_t len = 0;
    long got;
    while ((got = ksys_read(fd, text + len, piece < sizeof text - 1 - len ? piece : sizeof text - 1 - len)) > 0) {
        len += (size_t)got;
    }
    CHECK_EQ(got, 0);
    CHECK(len < sizeof text - 1);
    ksys_close(fd);
    text[len] = 0;
    nlines = 0;
    for (const char *s = text; *s && nlines < LINES_MAX; nlines++) {
        const char *next = parse_line(s, &lines[nlines]);
        bool good = next && (!nlines || lines[nlines].start >= lines[nlines - 1].end);
        CHECK(good);
        if (!good) {
            ktap_comment("%.100s", s);
            return;
        }
        s = next;
    }
    CHECK(nlines > 0 && nlines < LINES_MAX);
}
