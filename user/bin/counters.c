// SPDX-License-Identifier: MIT
// counters.c - the kernel's event counters, a column per hart.
#include <kine.h>
#include <stdio.h>

int main(void) {
    static const char *const names[] = {
#define X(name) #name,
        KINE_COUNTERS(X)
#undef X
    };
    static struct kine_counters c[64];
    long n = kine_ctl(KINE_NHARTS, 0, 0);
    for (long i = 0; i < n; i++) {
        if (kine_counters(i, &c[i]) < 0) {
            perror("counters");
            return 1;
        }
    }
    for (unsigned row = 0; row < sizeof(names) / sizeof(names[0]); row++) {
        printf("%-13s", names[row]);
        for (long i = 0; i < n; i++) {
            printf(" %9lu", (unsigned long)((uint64_t *)&c[i])[row]);
        }
        printf("\n");
    }
    return 0;
}
