// SPDX-License-Identifier: MIT
// memaudit.c - account for every frame; exit status 1 if the books do not balance.
#include <kine.h>
#include <stdio.h>

int main(void) {
    struct kine_audit a;
    long errors = kine_audit(&a);
    if (errors < 0) {
        perror("memaudit");
        return 2;
    }
    printf("frames %ld = free %ld + user %ld + cached %ld + table %ld + kernel %ld\n", (long)a.frames, (long)a.free,
           (long)a.user, (long)a.cached, (long)a.table, (long)a.kernel);
    printf("mappings %ld, shared frames %ld, errors %ld%s%s\n", (long)a.mappings, (long)a.shared, errors,
           errors ? ": " : "", a.first);
    return errors != 0;
}
