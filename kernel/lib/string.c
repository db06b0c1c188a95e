// SPDX-License-Identifier: MIT
// string.c - plain loops; pages are moved a cache line at a time, because copying and zeroing them
// is most of what a fault costs.
#include "lib/string.h"

void *memset(void *d, int c, usize n) {
    u8 *p = d;
    u64 word = (u8)c * 0x0101010101010101ul;
    for (; n && ((u64)p & 7); n--) {
        *p++ = c;
    }
    for (; n >= 8; n -= 8, p += 8) {
        *(u64 *)p = word;
    }
    for (; n; n--) {
        *p++ = c;
    }
    return d;
}

void *memcpy(void *d, const void *s, usize n) {
    u8 *p = d;
    const u8 *q = s;
    if ((((u64)p ^ (u64)q) & 7) == 0) {
        for (; n && ((u64)p & 7); n--) {
            *p++ = *q++;
        }
        for (; n >= 8; n -= 8, p += 8, q += 8) {
            *(u64 *)p = *(const u64 *)q;
        }
    }
    for (; n; n--) {
        *p++ = *q++;
    }
    return d;
}

void *memmove(void *d, const void *s, usize n) {
    u8 *p = d;
    const u8 *q = s;
    if (p <= q || p >= q + n) {
        return memcpy(d, s, n);
    }
    while (n--) {
        p[n] = q[n];
    }
    return d;
}

int memcmp(const void *a, const void *b, usize n) {
    const u8 *p = a, *q = b;
    for (; n; n--, p++, q++) {
        if (*p != *q) {
            return *p - *q;
        }
    }
    return 0;
}

usize strnlen(const char *s, usize max) {
    usize n = 0;
    while (n < max && s[n]) {
        n++;
    }
    return n;
}

usize strlen(const char *s) {
    return strnlen(s, ~0ul);
}

int strncmp(const char *a, const char *b, usize n) {
    for (; n; n--, a++, b++) {
        if (*a != *b || !*a) {
            return (u8)*a - (u8)*b;
        }
    }
    return 0;
}

int strcmp(const char *a, const char *b) {
    return strncmp(a, b, ~0ul);
}

char *strcopy(char *d, const char *s, usize n) {
    usize len = strnlen(s, n - 1);
    memcpy(d, s, len);
    d[len] = 0;
    return d;
}

bool parse_u64(const char **s, u64 *out) {
    const char *p = *s;
    u64 base = 10, v = 0;
    if (p[0] == '0' && p[1] == 'x') {
        base = 16;
        p += 2;
    }
    const char *first = p;
    for (;; p++) {
        u64 digit = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : 99;
        if (digit >= base) {
            break;
        }
        v = v * base + digit;
    }
    if (p == first) {
        return false;
    }
    *s = p;
    *out = v;
    return true;
}

void page_zero(void *page) {
    u64 *p = page, *end = p + 512;
    do {
        p[0] = p[1] = p[2] = p[3] = 0;
        p[4] = p[5] = p[6] = p[7] = 0;
        p[8] = p[9] = p[10] = p[11] = 0;
        p[12] = p[13] = p[14] = p[15] = 0;
        p += 16;
    } while (p != end);
}

void page_copy(void *restrict dst, const void *restrict src) {
    u64 *d = dst, *end = d + 512;
    const u64 *s = src;
    do {
        u64 a = s[0], b = s[1], c = s[2], e = s[3], f = s[4], g = s[5], h = s[6], i = s[7];
        d[0] = a, d[1] = b, d[2] = c, d[3] = e, d[4] = f, d[5] = g, d[6] = h, d[7] = i;
        d += 8;
        s += 8;
    } while (d != end);
}
