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
