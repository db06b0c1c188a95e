// SPDX-License-Identifier: MIT
// ls.c - list folders; with -l, types and sizes.
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void show(const char *folder, const char *name, int details) {
    char path[512];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (details && stat(path, &st) == 0) {
        char type = S_ISDIR(st.st_mode) ? 'd' : S_ISCHR(st.st_mode) ? 'c' : '-';
        printf("%c%03o %9ld ", type, (unsigned)st.st_mode & 0777, (long)st.st_size);
    }
    printf("%s\n", name);
}

static int list(const char *path, int details) {
    DIR *d = opendir(path);
    if (!d) {
        struct stat st;
        if (stat(path, &st) < 0) {
            perror(path);
            return 1;
        }
        show(".", path, details);
        return 0;
    }
    struct dirent *e;
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
            show(path, e->d_name, details);
        }
    }
    closedir(d);
    return 0;
}

int main(int argc, char **argv) {
    int details = argc > 1 && !strcmp(argv[1], "-l"), failed = 0;
    if (argc - details == 1) {
        return list(".", details);
    }
    for (int i = 1 + details; i < argc; i++) {
        failed |= list(argv[i], details);
    }
    return failed;
}
