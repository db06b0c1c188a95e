// SPDX-License-Identifier: MIT
// line.c - build a line of key=value pairs and send it whole.
#include "line.h"
#include "sys.h"

void line_text(struct line *line, const char *text)
{
    while (*text != '\0' && line->length < sizeof(line->text) - 1) {
        line->text[line->length++] = *text++;
    }
}

void line_key_text(struct line *line, const char *key, const char *value)
{
    line_text(line, " ");
    line_text(line, key);
    line_text(line, "=");
    line_text(line, value);
}

void line_key_number(struct line *line, const char *key, uint64_t value)
{
    char digits[24];
    char *start = digits + sizeof(digits) - 1;
    *start = '\0';
    do {
        *--start = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    line_key_text(line, key, start);
}

void line_send(struct line *line)
{
    line->text[line->length++] = '\n';
    const char *at = line->text;
    while (line->length > 0) {
        long sent = sys_write(1, (uaddr)at, line->length);
        if (sent <= 0) { return; }
        at += sent;
        line->length -= (uint32_t)sent;
    }
}

void line_die(const char *what, long result)
{
    struct line line = {0};
    line_text(&line, "bench");
    line_key_text(&line, "error", what);
    line_key_number(&line, "errno", (uint64_t)(result < 0 ? -result : 0));
    line_send(&line);
    sys_leave(1);
}
