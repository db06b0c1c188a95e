// SPDX-License-Identifier: MIT
// string.c - moving memory. picolibc's memcpy and memset go byte by byte, so these two are our own; pages
// are moved a cache line at a time, because copying and zeroing them is most of what a fault costs.
#include "lib/string.h"

void *memset(void *d, int c, usize n) {
    u8 *p = d;
    u64 word = (u8)c * 0x0101010101010101ul;
    for (; n && ((u64)p & 7); n--) { *p++ = c; }
    for (; n >= 8; n -= 8, p += 8) { *(u64 *)p = word; }
    for (; n; n--) { *p++ = c; }
    return d;
}

void *memcpy(void *d, const void *s, usize n) {
    u8 *p = d;
    const u8 *q = s;
    if ((((u64)p ^ (u64)q) & 7) == 0) {
        for (; n && ((u64)p & 7); n--) { *p++ = *q++; }
        for (; n >= 8; n -= 8, p += 8, q += 8) { *(u64 *)p = *(const u64 *)q; }
    }
    for (; n; n--) { *p++ = *q++; }
    return d;
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

// Words of a cache line at a time, four lines a turn.
#define COPY_LINE(at)                                                                              \
    do {                                                                                           \
        u64 a = s[at], b = s[at + 1], c = s[at + 2], e = s[at + 3];                                \
        u64 f = s[at + 4], g = s[at + 5], h = s[at + 6], i = s[at + 7];                            \
        d[at] = a, d[at + 1] = b, d[at + 2] = c, d[at + 3] = e;                                    \
        d[at + 4] = f, d[at + 5] = g, d[at + 6] = h, d[at + 7] = i;                                \
        __asm__ volatile("" ::: "memory"); /* or the compiler loads all four lines at once */       \
    } while (0)

void page_copy(void *restrict dst, const void *restrict src) {
    u64 *d = dst, *end = d + 512;
    const u64 *s = src;
    do {
        COPY_LINE(0);
        COPY_LINE(8);
        COPY_LINE(16);
        COPY_LINE(24);
        d += 32;
        s += 32;
    } while (d != end);
}
