// SPDX-License-Identifier: MIT
// files.c - pages of files and of shared memory, before an action forks.
//
// A private page of a file is borrowed from the file until it is written; a shared one always is.
#include "matrix.h"

static char *view(int fd, int flags) {
    long at = ksys_mmap(NULL, 2 * PAGE, PROT_RW, flags, fd, 0);
    CHECK(at > 0);
    return (char *)at;
}

// A file of memory with two pages, which are tagged.
static int memory_file(void) {
    int fd = (int)ksys_memfd_create("matrix", 0);
    CHECK_EQ(ksys_ftruncate(fd, 2 * PAGE), 0);
    unmap_pages(written(view(fd, MAP_SHARED)).first, 2);
    return fd;
}

static struct pages of_memory(int flags) {
    int fd = memory_file();
    char *at = view(fd, flags);
    ksys_close(fd);
    return (struct pages){.first = at, .second = at + PAGE};
}

static struct pages private_never_touched(char *unused) {
    (void)unused;
    struct pages p = of_memory(MAP_PRIVATE);
    p.file = true;
    return p;
}

static struct pages private_read(char *unused) {
    struct pages p = private_never_touched(unused);
    CHECK(untouched(p));
    return p;
}

static struct pages private_written(char *unused) {
    struct pages p = private_never_touched(unused);
    write_both(p, OLD);
    return p;
}

// One page is the process's own, the other still the file's.
static struct pages private_half_written(char *unused) {
    struct pages p = private_read(unused);
    tag(p.second, OLD + 1);
    return p;
}

static struct pages tree_never_touched(char *unused) {
    (void)unused;
    int fd = (int)ksys_openat(AT_FDCWD, "/bin/cat", O_RDONLY, 0);
    char *at = view(fd, MAP_PRIVATE), *image = view(fd, MAP_PRIVATE);
    ksys_close(fd);
    return (struct pages){.first = at, .second = at + PAGE, .file = true, .image = image};
}

static struct pages tree_read(char *unused) {
    struct pages p = tree_never_touched(unused);
    CHECK(untouched(p));
    return p;
}

static struct pages file_shared_never_touched(char *unused) {
    (void)unused;
    struct pages p = of_memory(MAP_SHARED);
    p.shared = true;
    return p;
}

static struct pages file_shared(char *unused) {
    struct pages p = file_shared_never_touched(unused);
    write_both(p, OLD);
    return p;
}

static struct pages memory_shared_never_touched(char *unused) {
    (void)unused;
    char *at = view(-1, MAP_SHARED | MAP_ANONYMOUS);
    return (struct pages){.first = at, .second = at + PAGE, .zero = true, .shared = true};
}

static struct pages memory_shared(char *unused) {
    struct pages p = written(memory_shared_never_touched(unused).first);
    p.shared = true;
    return p;
}

// The frames came when a child wrote, who had the way to them for itself.
static struct pages memory_shared_written_by_a_child(char *unused) {
    struct pages p = memory_shared_never_touched(unused);
    int pid = spawn();
    if (pid == 0) {
        write_both(p, OLD);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    p.zero = false;
    return p;
}

const struct state files[] = {
    {"private of a memfd, never touched", private_never_touched},
    {"private of a memfd, read", private_read},
    {"private of a memfd, written", private_written},
    {"private of a memfd, half written", private_half_written},
    {"private of a file, never touched", tree_never_touched},
    {"private of a file, read", tree_read},
    {"shared of a memfd, never touched", file_shared_never_touched},
    {"shared of a memfd, written", file_shared},
    {"shared memory, never touched", memory_shared_never_touched},
    {"shared memory, written", memory_shared},
    {"shared memory, written by a child", memory_shared_written_by_a_child},
};
const int file_count = COUNT(files);
