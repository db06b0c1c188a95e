// SPDX-License-Identifier: MIT
// crowd.c - tens of thousands of processes that live at the same time. It takes 2 GiB, and stands apart
// from proc.c, which must also run where there is less memory and under slow tools.
#include "common.h"

enum { CROWD = 20000 };

// All are alive at one time, which the audit then sees; none is left.
static void twenty_thousand_children(void) {
    static int pid[CROWD];
    static struct kine_audit during;
    struct gate hold = gate_new();
    for (int i = 0; i < CROWD; i++) {
        if ((pid[i] = spawn()) == 0) {
            char byte;
            ksys_close(hold.ends[1]);
            CHECK_EQ(ksys_read(hold.ends[0], &byte, 1), 0);  // ends when the parent lets go
            ksys_exit_group(checks_failed ? 255 : i & 127);
        }
        if (pid[i] < 0) {
            CHECK_EQ(pid[i], i);  // how many there were
            break;
        }
    }
    if (have_kine()) { audit(&during); }
    ktap_comment("all are there: %lu kernel frames, %lu user, %lu tables", (unsigned long)during.kernel,
                 (unsigned long)during.user, (unsigned long)during.table);
    gate_free(&hold);
    for (int i = 0; i < CROWD && pid[i] > 0; i++) { CHECK_EQ(reap(pid[i]), EXITED(i & 127)); }
    CHECK_EQ(reap(-1), -ECHILD);
}

TEST_MAIN(TEST(twenty_thousand_children))
