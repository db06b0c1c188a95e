// SPDX-License-Identifier: MIT
// reboot.c - the call that ends the machine. Alone it tests what is refused; with a word it does it:
//
//     /tests/reboot off | halt | restart
#include "common.h"
#include <stdio.h>
#include <sys/reboot.h>

enum { MAGIC1 = (int)0xfee1dead };

static const int seconds[] = {0x28121969, 0x05121996, 0x16041998, 0x20112000};  // all of Linux's

static long call(int magic1, int magic2, unsigned command) {
    return ksys_reboot(magic1, magic2, command, NULL);
}

static void no_other_command(void) {
    static const unsigned commands[] = {
        0, 1, RB_POWER_OFF + 1, RB_POWER_OFF - 1, RB_HALT_SYSTEM + 1, RB_AUTOBOOT - 1, 0x89abcdef,
        0xa1b2c3d4, 0xd000fce2, 0x45584543, -1u,
    };
    for (int i = 0; i < COUNT(commands); i++) {
        for (int k = 0; k < COUNT(seconds); k++) {
            CHECK_EQ(call(MAGIC1, seconds[k], commands[i]), -EINVAL);
        }
    }
}

static void no_other_magic(void) {
    static const int others[] = {0, 1, MAGIC1, 0x28121968, -1};
    for (int i = 0; i < COUNT(others); i++) {
        CHECK_EQ(call(MAGIC1, others[i], RB_POWER_OFF), -EINVAL);
        CHECK_EQ(call(others[i] == MAGIC1 ? 0 : others[i], seconds[0], RB_POWER_OFF), -EINVAL);
    }
    CHECK_EQ(call(seconds[0], MAGIC1, RB_AUTOBOOT), -EINVAL);
}

// Never returns, if all is well. Each command comes with a magic number of its own.
static int do_it(const char *word) {
    static const struct { const char *word; unsigned command; } ways[] = {
        {"off", RB_POWER_OFF}, {"halt", RB_HALT_SYSTEM}, {"restart", RB_AUTOBOOT}};
    for (int i = 0; i < COUNT(ways); i++) {
        if (strcmp(word, ways[i].word) == 0) {
            printf("reboot: %s\n", word);
            fflush(stdout);
            long error = call(MAGIC1, seconds[i], ways[i].command);
            printf("reboot: still here: %ld\n", error);
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {TEST(no_other_command), TEST(no_other_magic)};
    return argc > 1 ? do_it(argv[1]) : run_tests(tests, COUNT(tests), NULL);
}
