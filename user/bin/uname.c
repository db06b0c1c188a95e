// SPDX-License-Identifier: MIT
// uname.c - what this system is.
#include <stdio.h>
#include <sys/utsname.h>

int main(void) {
    struct utsname u;
    if (uname(&u) < 0) {
        perror("uname");
        return 1;
    }
    printf("%s %s %s %s\n", u.sysname, u.release, u.version, u.machine);
    return 0;
}
