// SPDX-License-Identifier: MIT
// stat path... - what kind of file it is, its size, mode and number.
#include <sys/stat.h>
#include <tool.h>

static const char *kind(unsigned mode) {
    return S_ISDIR(mode)    ? "folder"
           : S_ISREG(mode)  ? "file"
           : S_ISCHR(mode)  ? "device"
           : S_ISFIFO(mode) ? "pipe"
                            : "other";
}

int main(int argc, char **argv) {
    int failed = 0;
    if (argc < 2) { return tool_usage("stat PATH..."); }
    for (char **path = argv + 1; *path; path++) {
        struct stat st;
        if (stat(*path, &st) < 0) {
            failed = tool_error("stat", *path);
            continue;
        }
        printf("%s: %s, mode %04o, %ld bytes, inode %lu\n", *path, kind(st.st_mode),
               st.st_mode & 07777, st.st_size, st.st_ino);
    }
    return failed;
}
