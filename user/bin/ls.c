// SPDX-License-Identifier: MIT
// ls [-l] [path...] - list folders; -l with kinds, modes and sizes.
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <tool.h>
#include <unistd.h>

static bool details;

static int show(const char *folder, const char *name) {
    char path[512];
    struct stat st;
    snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", name);
    if (details && stat(path, &st) < 0) { return tool_error("ls", path); }
    if (details) {
        char type = S_ISDIR(st.st_mode) ? 'd' : S_ISCHR(st.st_mode) ? 'c' : '-';
        printf("%c%03o %9ld ", type, (unsigned)st.st_mode & 0777, (long)st.st_size);
    }
    printf("%s\n", name);
    return 0;
}

static int list(const char *path) {
    struct stat st;
    if (stat(path, &st) < 0) { return tool_error("ls", path); }
    if (!S_ISDIR(st.st_mode)) { return show("", path); }
    DIR *d = opendir(path);
    if (!d) { return tool_error("ls", path); }
    int failed = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            failed |= show(path, e->d_name);
        }
    }
    closedir(d);
    return failed;
}

int main(int argc, char **argv) {
    for (int c; (c = getopt(argc, argv, "l")) != -1;) {
        if (c == '?') { return tool_usage("ls [-l] [PATH...]"); }
        details = true;
    }
    int failed = optind == argc ? list(".") : 0;
    for (int i = optind; i < argc; i++) { failed |= list(argv[i]); }
    return failed;
}
