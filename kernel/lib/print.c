// SPDX-License-Identifier: MIT
// print.c - a small printf. Each kprintf builds its line first and hands it over in one piece, so
// that lines of different harts never mix.
#include "lib/print.h"
#include "lib/string.h"

struct out {
    char *buf;
    usize n, len;
};

static void out_char(struct out *o, char c) {
    if (o->len + 1 < o->n) {
        o->buf[o->len++] = c;
    }
}

static void out_padded(struct out *o, const char *s, usize len, int width, char pad, bool left) {
    for (int i = len; !left && i < width; i++) {
        out_char(o, pad);
    }
    for (usize i = 0; i < len; i++) {
        out_char(o, s[i]);
    }
    for (int i = len; left && i < width; i++) {
        out_char(o, ' ');
    }
}

static void out_number(struct out *o, u64 v, bool negative, u64 base, int width, char pad) {
    char digits[24];
    usize i = sizeof(digits);
    do {
        digits[--i] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    if (negative) {
        digits[--i] = '-';
    }
    out_padded(o, digits + i, sizeof(digits) - i, width, pad, false);
}

// One conversion behind its '%'. Returns the character behind it.
static const char *out_conversion(struct out *o, const char *f, va_list *ap) {
    char pad = ' ';
    bool left = false, is_long = false;
    int width = 0;
    for (; *f == '0' || *f == '-'; f++) {
        left |= *f == '-';
        pad = *f == '0' ? '0' : pad;
    }
    for (; *f >= '0' && *f <= '9'; f++) {
        width = width * 10 + *f - '0';
    }
    for (; *f == 'l' || *f == 'z'; f++) {
        is_long = true;
    }
    switch (*f) {
    case 'd': {
        i64 v = is_long ? va_arg(*ap, i64) : va_arg(*ap, int);
        out_number(o, v < 0 ? -(u64)v : (u64)v, v < 0, 10, width, pad);
        break;
    }
    case 'u':
    case 'x':
        out_number(o, is_long ? va_arg(*ap, u64) : va_arg(*ap, u32), false, *f == 'x' ? 16 : 10,
                   width, pad);
        break;
    case 'p':
        out_padded(o, "0x", 2, 0, ' ', false);
        out_number(o, va_arg(*ap, u64), false, 16, 16, '0');
        break;
    case 's': {
        const char *s = va_arg(*ap, const char *);
        s = s ? s : "(null)";
        out_padded(o, s, strlen(s), width, ' ', left);
        break;
    }
    case 'c':
        out_char(o, va_arg(*ap, int));
        break;
    default:
        out_char(o, *f);
        break;
    }
    return *f ? f + 1 : f;
}

int fmt_v(char *buf, usize n, const char *f, va_list args) {
    struct out o = {buf, n, 0};
    va_list ap;
    va_copy(ap, args);
    while (*f) {
        if (*f == '%') {
            f = out_conversion(&o, f + 1, &ap);
        } else {
            out_char(&o, *f++);
        }
    }
    va_end(ap);
    if (n) {
        buf[o.len] = 0;
    }
    return o.len;
}

int fmt(char *buf, usize n, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    int len = fmt_v(buf, n, format, ap);
    va_end(ap);
    return len;
}

static print_sink sink;

void print_set_sink(print_sink s) {
    sink = s;
}

void print_raw(const char *s, usize n) {
    if (sink) {
        sink(s, n);
    }
}

void kprintf(const char *format, ...) {
    char line[256];
    va_list ap;
    va_start(ap, format);
    int n = fmt_v(line, sizeof(line), format, ap);
    va_end(ap);
    print_raw(line, n);
}
