// SPDX-License-Identifier: MIT
// mapping.c - mappings of files and of memory that processes share: who sees what, and how far.
#include "team.h"

enum { MAP_SHARED_ANON = MAP_SHARED | MAP_ANONYMOUS };

static char *map_file(int fd, size_t pages, int prot, int flags, long off) {
    long at = ksys_mmap(NULL, pages * PAGE, prot, flags, fd, off);
    CHECK(at > 0);
    return (char *)at;
}

static char *map_shared(size_t pages) { return map_file(-1, pages, PROT_RW, MAP_SHARED_ANON, 0); }

static int memfd(size_t pages) {
    int fd = (int)ksys_memfd_create("test", 0);
    CHECK(fd >= 0);
    CHECK_EQ(ksys_ftruncate(fd, pages * PAGE), 0);
    return fd;
}

static bool same_frame(const void *a, const void *b) {
    return KINE_PM_FRAME(pagemap(a)) == KINE_PM_FRAME(pagemap(b)) && pagemap(a) & KINE_PM_FILE;
}

// ---- shared memory

static volatile int over;
static long awake;

static void *stay_awake(void *unused) {
    pin(1);
    while (!over) { __atomic_fetch_add(&awake, 1, __ATOMIC_RELAXED); }
    return unused;
}

// Another thread is at work all the while, and may look at the map.
static void shared_memory_goes_with_its_last_mapping(void) {
    enum { PAGES = 300 };
    static struct kine_audit before, after;
    pin(0);
    struct thread *t = begin(stay_awake, NULL);
    while (!__atomic_load_n(&awake, __ATOMIC_RELAXED)) { ksys_sched_yield(); }
    for (int i = 0; i < 20; i++) {
        char *at = map_shared(PAGES);
        for (int p = 0; p < PAGES; p++) { tag(at + p * PAGE, p); }
        unmap_pages(at, PAGES);
        audit(i ? &after : &before);  // the first one brings its own text
        CHECK(i == 0 || after.cached == before.cached);
    }
    over = 1;
    end(t);
}

static void shared_memory_is_seen_by_all(void) {
    enum { PAGES = 4 };
    char *at = map_shared(PAGES);
    tag(at, 1);
    CHECK(all_bytes(at + PAGE, 0, PAGE));
    int pid = spawn();
    if (pid == 0) {
        CHECK(tagged(at, 1));
        tag(at, 2);
        tag(at + 2 * PAGE, 3);  // first touched here
        int grandchild = spawn();
        if (grandchild == 0) {
            CHECK(tagged(at, 2));
            tag(at + 3 * PAGE, 4);
            leave();
        }
        CHECK_EQ(reap(grandchild), 0);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(tagged(at, 2) && tagged(at + 2 * PAGE, 3) && tagged(at + 3 * PAGE, 4));
    unmap_pages(at, PAGES);
}

static void fork_copies_nothing_that_is_shared(void) {
    enum { PAGES = 64 };
    char *at = map_shared(PAGES);
    for (int i = 0; i < PAGES; i++) { tag(at + i * PAGE, i); }
    int pid = spawn();
    if (pid == 0) {
        tag(at, 100);  // the way is its own now
        struct kine_counters before = counters();
        for (int i = 0; i < PAGES; i++) { tag(at + i * PAGE, 100 + i); }
        struct kine_counters after = counters();
        CHECK_EQ(after.cow_copies - before.cow_copies, 0);
        CHECK_EQ(after.cow_flips - before.cow_flips, 0);
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    for (int i = 0; i < PAGES; i++) { CHECK(tagged(at + i * PAGE, 100 + i)); }
    unmap_pages(at, PAGES);
}

// In one table of the lowest level, page by page: what is shared stays so, what is private does not.
static void shared_and_private_side_by_side(void) {
    enum { PAGES = 16 };
    char *at = map(PAGES, PROT_RW);
    for (int i = 0; i < PAGES; i += 2) {
        CHECK_EQ(ksys_mmap(at + i * PAGE, PAGE, PROT_RW, MAP_SHARED_ANON | MAP_FIXED, -1, 0), at + i * PAGE);
    }
    for (int i = 0; i < PAGES; i++) { tag(at + i * PAGE, i); }
    for (int round = 1; round < 4; round++) {
        int pid = spawn();
        if (pid == 0) {
            for (int i = 0; i < PAGES; i++) { tag(at + i * PAGE, 100 * round + i); }
            for (int i = 0; i < PAGES; i++) { CHECK(tagged(at + i * PAGE, 100 * round + i)); }
            leave();
        }
        CHECK_EQ(reap(pid), 0);
        for (int i = 0; i < PAGES; i++) { CHECK(tagged(at + i * PAGE, i % 2 ? i : 100 * round + i)); }
    }
    unmap_pages(at, PAGES);
}

static void shared_memory_outlives_who_made_it(void) {
    struct gate go = gate_new();
    int middle = spawn();
    if (middle == 0) {
        char *at = map_shared(1);
        tag(at, 7);
        if (spawn() == 0) {
            ksys_close(go.ends[1]);
            char byte;
            CHECK_EQ(ksys_read(go.ends[0], &byte, 1), 1);  // the one who made it is gone
            CHECK(tagged(at, 7));
            tag(at, 8);
            leave();
        }
        unmap_pages(at, 1);
        leave();
    }
    CHECK_EQ(reap(middle), 0);
    gate_post(&go);
    gate_free(&go);
}

static void share_and_drop(struct kine_audit *during) {
    char *at = map_shared(100);
    for (int i = 0; i < 100; i++) { poke(at + i * PAGE); }
    ksys_kine_audit(during, sizeof *during);
    unmap_pages(at, 99);
    CHECK(*(at + 99 * PAGE) == 1);
    unmap_pages(at + 99 * PAGE, 1);
    int fd = memfd(3);
    CHECK_EQ(ksys_write(fd, during, 100), 100);
    char *view = map_file(fd, 1, PROT_READ, MAP_SHARED, 0);
    ksys_close(fd);
    CHECK(memcmp(view, during, 100) == 0);  // the region has it, too
    unmap_pages(view, 1);
}

static void the_last_one_frees_it(void) {
    static struct kine_audit before, during, after;
    ksys_kine_audit(&after, sizeof after);
    share_and_drop(&during);  // once, so that its own text is there
    ksys_kine_audit(&before, sizeof before);
    share_and_drop(&during);
    ksys_kine_audit(&after, sizeof after);
    CHECK_EQ(during.cached - before.cached, 100);
    CHECK_EQ(after.cached, before.cached);
}

static void what_the_kernel_writes_is_shared(void) {
    char *at = map_shared(2);
    struct gate pipe = gate_new();
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(ksys_read(pipe.ends[0], at + PAGE - 3, 6), 6);
        leave();
    }
    CHECK_EQ(ksys_write(pipe.ends[1], "sixsix", 6), 6);
    CHECK_EQ(reap(pid), 0);
    CHECK(memcmp(at + PAGE - 3, "sixsix", 6) == 0);
    gate_free(&pipe);
    unmap_pages(at, 2);
}

// ---- files of memory

static void one_file_in_two_places(void) {
    int fd = memfd(4);
    char *a = map_file(fd, 4, PROT_RW, MAP_SHARED, 0), *b = map_file(fd, 2, PROT_RW, MAP_SHARED, 2 * PAGE);
    char *mine = map_file(fd, 4, PROT_RW, MAP_PRIVATE, 0);
    tag(a + 2 * PAGE, 1);
    CHECK(tagged(b, 1) && tagged(mine + 2 * PAGE, 1) && same_frame(b, a + 2 * PAGE));
    tag(b, 2);
    CHECK(tagged(a + 2 * PAGE, 2) && tagged(mine + 2 * PAGE, 2));  // not written yet: still the file's
    tag(mine + 2 * PAGE, 3);
    tag(mine + 3 * PAGE, 4);  // never read before
    CHECK(tagged(b, 2) && all_bytes(b + PAGE, 0, PAGE) && tagged(mine + 2 * PAGE, 3));
    CHECK(!(pagemap(mine + 2 * PAGE) & KINE_PM_FILE) && !(pagemap(mine + 3 * PAGE) & KINE_PM_FILE));
    ksys_close(fd);
    tag(a, 5);
    unmap_pages(mine, 4);
    unmap_pages(b, 2);
    unmap_pages(a, 4);
}

static void read_and_write_see_what_is_mapped(void) {
    static char buffer[3 * PAGE];
    int fd = memfd(0);
    memset(buffer, 'x', sizeof buffer);
    CHECK_EQ(ksys_write(fd, buffer, PAGE + 10), PAGE + 10);
    char *at = map_file(fd, 2, PROT_RW, MAP_SHARED, 0);
    CHECK(all_bytes(at, 'x', PAGE + 10) && all_bytes(at + PAGE + 10, 0, PAGE - 10));
    at[5] = 'y';
    CHECK_EQ(ksys_lseek(fd, 0, 0), 0);
    CHECK_EQ(ksys_read(fd, buffer, sizeof buffer), PAGE + 10);
    CHECK(buffer[5] == 'y' && buffer[4] == 'x');
    CHECK_EQ(ksys_lseek(fd, 3 * PAGE - 1, 0), 3 * PAGE - 1);
    CHECK_EQ(ksys_write(fd, "zz", 2), 2);
    CHECK_EQ(ksys_lseek(fd, 0, 2), 3 * PAGE + 1);
    struct stat st;
    CHECK_EQ(ksys_fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 3 * PAGE + 1);
    char *rest = map_file(fd, 2, PROT_READ, MAP_SHARED, 2 * PAGE);
    CHECK(all_bytes(rest, 0, PAGE - 1) && rest[PAGE - 1] == 'z' && rest[PAGE] == 'z' && rest[PAGE + 1] == 0);
    CHECK_EQ(ksys_read(fd, at, 10), 0);
    CHECK_EQ(ksys_lseek(fd, 5 * PAGE, 0), 5 * PAGE);
    CHECK_EQ(ksys_write(fd, at, 0), 0);
    CHECK_EQ(ksys_write(fd, (void *)8, 100), -EFAULT);
    CHECK_EQ(ksys_lseek(fd, 0, 2), 3 * PAGE + 1);  // what was not written is not there
    CHECK_EQ(ksys_lseek(fd, 0, 0), 0);
    CHECK_EQ(ksys_read(fd, at + 1, 2 * PAGE - 1), 2 * PAGE - 1);  // into itself
    ksys_close(fd);
}

static void behind_the_end_is_sigbus(void) {
    int fd = memfd(1);
    char *at = map_file(fd, 4, PROT_RW, MAP_SHARED, 0), *mine = map_file(fd, 4, PROT_RW, MAP_PRIVATE, 0);
    CHECK_EQ(status_of(poke, at), 0);
    CHECK_EQ(status_of(poke, at + PAGE), KILLED(SIGBUS));
    CHECK_EQ(status_of(peek, mine + 3 * PAGE), KILLED(SIGBUS));
    CHECK_EQ(ksys_write(fd, at + PAGE, 1), -EFAULT);
    CHECK_EQ(ksys_ftruncate(fd, PAGE + 1), 0);
    poke(at + PAGE);  // to the end of the page
    poke(mine + 2 * PAGE - 1);
    CHECK_EQ(status_of(poke, at + 2 * PAGE), KILLED(SIGBUS));
    CHECK_EQ(ksys_ftruncate(fd, PAGE), -EPERM);
    ksys_close(fd);
}

static void what_cannot_be_mapped(void) {
    int fd = memfd(2), text = (int)ksys_openat(AT_FDCWD, "/bin/cat", O_RDONLY, 0);
    int dir = (int)ksys_openat(AT_FDCWD, "/bin", O_RDONLY, 0);
    int null = (int)ksys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, MAP_SHARED, -1, 0), -EBADF);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 77, 0), -EBADF);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), -ENODEV);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, null, 0), -ENODEV);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_RW, MAP_SHARED, text, 0), -EACCES);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100), -EINVAL);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, -4096), -EINVAL);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, 0, fd, 0), -EINVAL);
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, 4, fd, 0), -EINVAL);
    CHECK_EQ(ksys_mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0), -EINVAL);
    CHECK_EQ(ksys_memfd_create("x", 2), -EINVAL);
    CHECK_EQ(ksys_ftruncate(text, 5), -EINVAL);
    CHECK_EQ(ksys_ftruncate(fd, -1), -EINVAL);
    CHECK_EQ(ksys_ftruncate(77, 1), -EBADF);
    char *at = map_file(text, 1, PROT_READ, MAP_SHARED, 0);
    CHECK_EQ(ksys_mprotect(at, PAGE, PROT_RW), -EACCES);  // opened for reading
    CHECK_EQ(status_of(poke, at), KILLED(SIGSEGV));
    ksys_close(fd), ksys_close(text), ksys_close(dir), ksys_close(null);
}

// ---- files of the tree

static void text_is_shared_by_all_who_run_it(void) {
    const char *text = (const char *)(uintptr_t)map_file, *mine;
    int fd = (int)ksys_openat(AT_FDCWD, "/tests/mapping", O_RDONLY, 0);
    CHECK(pagemap(text) & KINE_PM_FILE && pagemap(text) & KINE_PM_EXEC);
    mine = map_file(fd, 1, PROT_READ, MAP_PRIVATE, 0);
    CHECK(memcmp(mine, "\177ELF", 4) == 0);
    static struct kine_audit before, after;
    ksys_kine_audit(&after, sizeof after);
    ksys_kine_audit(&before, sizeof before);
    const char *argv[] = {"/tests/mapping", "where", NULL};
    struct gate answer = gate_new();
    int pid = spawn();
    if (pid == 0) {
        CHECK_EQ(ksys_dup3(answer.ends[1], 1, 0), 1);
        ksys_execve(argv[0], argv, argv + 2);
    }
    uint32_t frame = 0;
    CHECK_EQ(ksys_read(answer.ends[0], &frame, sizeof frame), sizeof frame);
    CHECK_EQ(reap(pid), 0);
    CHECK_EQ(frame, KINE_PM_FRAME(pagemap(text)));
    ksys_kine_audit(&after, sizeof after);
    CHECK(after.cached >= before.cached && after.cached < before.cached + 8);  // what this one has not touched
    ksys_close(fd);
    gate_free(&answer);
}

// The other process of text_is_shared_by_all_who_run_it.
static void say_where(void) {
    uint32_t frame = KINE_PM_FRAME(pagemap((const void *)(uintptr_t)map_file));
    ksys_write(1, &frame, sizeof frame);
    ksys_exit_group(0);
}

static void no_write_reaches_a_file(void) {
    int fd = (int)ksys_openat(AT_FDCWD, "/bin/cat", O_RDONLY, 0);
    char *a = map_file(fd, 2, PROT_RW, MAP_PRIVATE, 0), *b = map_file(fd, 2, PROT_READ, MAP_PRIVATE, 0), byte;
    char first = b[1], second = b[PAGE];
    a[1] = 'x';                 // never read
    CHECK(a[PAGE] == second);
    a[PAGE] = (char)~second;    // read before
    CHECK(b[1] == first && b[PAGE] == second && a[1] == 'x' && a[PAGE] == (char)~second && a[0] == b[0]);
    CHECK_EQ(ksys_mprotect(b, 2 * PAGE, PROT_RW), 0);
    b[1] = 'y';
    CHECK_EQ(ksys_lseek(fd, 1, 0), 1);
    CHECK_EQ(ksys_read(fd, &byte, 1), 1);
    CHECK(byte == first);
    int pid = spawn();
    if (pid == 0) {
        CHECK(a[1] == 'x' && b[1] == 'y' && b[PAGE] == second);
        a[1] = 'z';
        b[PAGE] = 'z';
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    CHECK(a[1] == 'x' && b[PAGE] == second);
    char *c = map_file(fd, 2, PROT_READ, MAP_PRIVATE, 0);
    CHECK(c[1] == first && c[PAGE] == second);
    ksys_close(fd);
}

static void discarded_pages_are_the_files_again(void) {
    int fd = memfd(2);
    CHECK_EQ(ksys_write(fd, "file", 4), 4);
    char *mine = map_file(fd, 2, PROT_RW, MAP_PRIVATE, 0), *all = map_file(fd, 2, PROT_RW, MAP_SHARED, 0);
    mine[0] = 'm';
    all[1] = 'I';
    CHECK(memcmp(mine, "mile", 4) == 0);
    CHECK_EQ(ksys_madvise(mine, 2 * PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(ksys_madvise(all, 2 * PAGE, MADV_DONTNEED), 0);
    CHECK(memcmp(mine, "fIle", 4) == 0 && memcmp(all, "fIle", 4) == 0);
    ksys_close(fd);
}

static char nothing_in_the_file[2 * PAGE];

// What may be made again at any time is memory of one's own.
static void only_private_memory_is_free(void) {
    int fd = memfd(1);
    char *view = map_file(fd, 1, PROT_RW, MAP_PRIVATE, 0), *both = map_shared(1), *own = map(1, PROT_RW);
    tag(view, 1);
    tag(both, 2);
    CHECK_EQ(ksys_madvise(view, PAGE, MADV_FREE), -EINVAL);
    CHECK_EQ(ksys_madvise(both, PAGE, MADV_FREE), -EINVAL);
    CHECK_EQ(ksys_madvise(own, PAGE, MADV_FREE), 0);
    char *bss = (char *)(((uintptr_t)nothing_in_the_file + PAGE - 1) & -PAGE);
    tag(bss, 3);
    CHECK_EQ(ksys_madvise(bss, PAGE, MADV_FREE), 0);
    CHECK(all_bytes(bss, 0, PAGE));
    CHECK(tagged(view, 1) && tagged(both, 2));
    unmap_pages(view, 1);
    unmap_pages(both, 1);
    unmap_pages(own, 1);
    ksys_close(fd);
}

// To the page: each piece goes on where the file does.
static void cut_and_joined_again(void) {
    enum { PAGES = 12 };
    int fd = memfd(PAGES);
    char *at = map_file(fd, PAGES, PROT_RW, MAP_SHARED, 0);
    for (int i = 0; i < PAGES; i++) { tag(at + i * PAGE, i); }
    unmap_pages(at + 3 * PAGE, 1);
    CHECK_EQ(ksys_mmap(at + 6 * PAGE, PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at + 6 * PAGE);
    CHECK_EQ(ksys_mprotect(at + 8 * PAGE, PAGE, PROT_READ), 0);
    CHECK_EQ(ksys_madvise(at, PAGES * PAGE, MADV_DONTNEED), -ENOMEM);  // the hole; all else is fetched again
    for (int i = 0; i < PAGES; i++) {
        if (i != 3) { CHECK(i == 6 ? all_bytes(at + i * PAGE, 0, PAGE) : tagged(at + i * PAGE, i)); }
    }
    CHECK_EQ(status_of(peek, at + 3 * PAGE), KILLED(SIGSEGV));
    CHECK_EQ(status_of(poke, at + 8 * PAGE), KILLED(SIGSEGV));
    CHECK_EQ(ksys_mprotect(at + 8 * PAGE, PAGE, PROT_RW), 0);
    CHECK_EQ(ksys_mmap(at + 3 * PAGE, PAGE, PROT_RW, MAP_SHARED | MAP_FIXED, fd, 3 * PAGE), at + 3 * PAGE);
    CHECK_EQ(ksys_mmap(at + 6 * PAGE, PAGE, PROT_RW, MAP_SHARED | MAP_FIXED, fd, 6 * PAGE), at + 6 * PAGE);
    for (int i = 0; i < PAGES; i++) { CHECK(tagged(at + i * PAGE, i)); }
    for (int i = 0; i < PAGES; i++) { tag(at + i * PAGE, 50 + i); }
    ksys_close(fd);
}

// A race for each page between processes that share it: all see one page, and no store is lost.
static void many_make_the_same_pages(void) {
    enum { PROCESSES = 4, PAGES = 200 };
    char *at = map_shared(PAGES);
    int pid[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        if ((pid[i] = spawn()) == 0) {
            for (int p = 0; p < PAGES; p++) { __atomic_fetch_add((int *)(at + p * PAGE), 1 + i, __ATOMIC_RELAXED); }
            leave();
        }
    }
    for (int i = 0; i < PROCESSES; i++) { CHECK_EQ(reap(pid[i]), 0); }
    for (int p = 0; p < PAGES; p++) { CHECK_EQ(*(int *)(at + p * PAGE), PROCESSES * (PROCESSES + 1) / 2); }
    unmap_pages(at, PAGES);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "where") == 0) { say_where(); }
    static const struct test tests[] = {TEST(shared_memory_is_seen_by_all),
                                        KINE_TEST(fork_copies_nothing_that_is_shared),
                                        TEST(shared_and_private_side_by_side),
                                        TEST(shared_memory_outlives_who_made_it),
                                        KINE_TEST(shared_memory_goes_with_its_last_mapping),
                                        KINE_TEST(the_last_one_frees_it),
                                        TEST(what_the_kernel_writes_is_shared),
                                        KINE_TEST(one_file_in_two_places),
                                        TEST(read_and_write_see_what_is_mapped), TEST(behind_the_end_is_sigbus),
                                        TEST(what_cannot_be_mapped),
                                        KINE_TEST(text_is_shared_by_all_who_run_it),
                                        TEST(no_write_reaches_a_file),
                                        TEST(discarded_pages_are_the_files_again), TEST(only_private_memory_is_free),
                                        TEST(cut_and_joined_again),
                                        TEST(many_make_the_same_pages)};
    return run_tests(tests, COUNT(tests), argc > 1 ? argv[1] : NULL);
}
