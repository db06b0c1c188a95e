// SPDX-License-Identifier: MIT
// maps.c - /proc/self/maps: what is said of what, line by line.
#include "maps.h"
#include "team.h"

static const struct line *line_of(const volatile void *at) {
    for (int i = 0; i < nlines; i++) {
        if ((uintptr_t)at >= lines[i].start && (uintptr_t)at < lines[i].end) { return &lines[i]; }
    }
    return NULL;
}

// Is there a line of just these pages and rights?
static bool shows(const void *at, size_t pages, const char *rights) {
    const struct line *l = line_of(at);
    return l && l->start == (uintptr_t)at && l->end == l->start + pages * PAGE && strcmp(l->rights, rights) == 0;
}

// ---- what is said of what

static void a_program_has_its_parts(void) {
    struct stat st;
    int local, fd = (int)ksys_openat(AT_FDCWD, "/tests/maps", O_RDONLY, 0);
    CHECK_EQ(ksys_fstat(fd, &st), 0);
    read_maps(sizeof text);
    const struct line *code = line_of((void *)(uintptr_t)read_maps), *data = line_of(&nlines), *stack = line_of(&local);
    CHECK(code && data && stack);
    CHECK(strcmp(code->rights, "r-xp") == 0 && strcmp(data->rights, "rw-p") == 0);
    CHECK(strcmp(stack->rights, "rw-p") == 0);
    CHECK(strcmp(code->name, "/tests/maps") == 0 && code->ino == st.st_ino && code->dev == st.st_dev);
    CHECK(strcmp(data->name, "/tests/maps") == 0 && data->ino == st.st_ino && data->off % PAGE == 0);
    CHECK(strcmp(stack->name, "[stack]") == 0 && stack->ino == 0 && stack->off == 0 && stack->dev == 0);
    CHECK_EQ(stack->end - stack->start, 8 * MIB);
    int stacks = 0;
    for (int i = 0; i < nlines; i++) { stacks += strcmp(lines[i].name, "[stack]") == 0; }
    CHECK_EQ(stacks, 1);
}

static void the_heap_is_what_brk_says(void) {
    uintptr_t begin = ((uintptr_t)ksys_brk(NULL) + PAGE - 1) & -PAGE;
    read_maps(sizeof text);
    CHECK(!line_of((void *)begin));
    for (int pages = 5; pages > 0; pages -= 2) {
        CHECK_EQ(ksys_brk((void *)(begin + pages * PAGE - 100)), begin + pages * PAGE - 100);
        read_maps(sizeof text);
        CHECK(shows((void *)begin, pages, "rw-p") && strcmp(line_of((void *)begin)->name, "[heap]") == 0);
    }
    CHECK_EQ(ksys_brk((void *)begin), begin);
    read_maps(sizeof text);
    CHECK(!line_of((void *)begin));
}

static void cut_and_joined(void) {
    char *at = map(12, PROT_READ) + 2 * PAGE;
    CHECK_EQ(ksys_mprotect(at, 8 * PAGE, PROT_RW), 0);
    read_maps(sizeof text);
    CHECK(shows(at, 8, "rw-p") && shows(at - 2 * PAGE, 2, "r--p") && shows(at + 8 * PAGE, 2, "r--p"));
    CHECK(line_of(at)->name[0] == 0 && line_of(at)->ino == 0);
    CHECK_EQ(ksys_mprotect(at + 3 * PAGE, PAGE, PROT_READ | PROT_EXEC), 0);
    unmap_pages(at + 6 * PAGE, 1);
    read_maps(sizeof text);
    CHECK(shows(at, 3, "rw-p") && shows(at + 3 * PAGE, 1, "r-xp") && shows(at + 4 * PAGE, 2, "rw-p"));
    CHECK(!line_of(at + 6 * PAGE) && shows(at + 7 * PAGE, 1, "rw-p"));
    CHECK_EQ(ksys_mprotect(at + 3 * PAGE, PAGE, PROT_NONE), 0);
    read_maps(sizeof text);
    CHECK(shows(at + 3 * PAGE, 1, "---p"));
    CHECK_EQ(ksys_mprotect(at + 3 * PAGE, PAGE, PROT_RW), 0);
    CHECK_EQ(ksys_mmap(at + 6 * PAGE, PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at + 6 * PAGE);
    read_maps(sizeof text);
    CHECK(shows(at, 8, "rw-p"));
    CHECK_EQ(ksys_mprotect(at - 2 * PAGE, 12 * PAGE, PROT_RW), 0);
    read_maps(sizeof text);
    CHECK(line_of(at - 2 * PAGE) == line_of(at + 9 * PAGE));
    unmap_pages(at - 2 * PAGE, 12);
}

static void files_and_shared_memory(void) {
    struct stat st;
    int fd = (int)ksys_memfd_create("test", 0);
    CHECK_EQ(ksys_ftruncate(fd, 20 * PAGE), 0);
    CHECK_EQ(ksys_fstat(fd, &st), 0);
    char *at = (char *)ksys_mmap(NULL, 9 * PAGE, PROT_RW, MAP_SHARED, fd, 3 * PAGE);
    char *zeros = (char *)ksys_mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *more = (char *)ksys_mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unmap_pages(at + 4 * PAGE, 1);
    read_maps(sizeof text);
    CHECK(shows(at, 4, "rw-s") && shows(at + 5 * PAGE, 4, "rw-s"));
    CHECK(line_of(at)->off == 3 * PAGE && line_of(at + 5 * PAGE)->off == 8 * PAGE);
    CHECK(line_of(at)->ino == st.st_ino && line_of(at)->dev == st.st_dev);
    CHECK(strncmp(line_of(at)->name, "/memfd:", 7) == 0);
    CHECK(shows(zeros, 2, "r--s") && shows(more, 2, "r--s") && line_of(zeros)->ino != line_of(more)->ino);
    CHECK(strcmp(line_of(zeros)->name, "/dev/zero (deleted)") == 0 && line_of(zeros)->ino != st.st_ino);
    CHECK_EQ(ksys_mremap(at + 6 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, NULL) < 0, false);
    read_maps(sizeof text);
    CHECK(shows(at + 5 * PAGE, 1, "rw-s") && shows(at + 8 * PAGE, 1, "rw-s"));
    CHECK_EQ(line_of(at + 8 * PAGE)->off, 11 * PAGE);
    int moved = 0;
    for (int i = 0; i < nlines; i++) { moved += lines[i].off == 9 * PAGE && lines[i].end - lines[i].start == 3 * PAGE; }
    CHECK_EQ(moved, 1);
    ksys_close(fd);
}

// ---- how it is read

static void all_pieces_are_the_whole(void) {
    static char whole[sizeof text];
    static const size_t pieces[] = {1, 2, 7, 60, 73, 100, 200, 1000, 4096};
    read_maps(sizeof text);
    memcpy(whole, text, sizeof text);
    for (int i = 0; i < COUNT(pieces); i++) {
        read_maps(pieces[i]);
        CHECK(strcmp(whole, text) == 0);
    }
    int fd = open_maps();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(ksys_read(fd, text, 9 + i), 9 + i);
        CHECK(memcmp(whole, text, 9 + i) == 0);
        CHECK_EQ(ksys_lseek(fd, 0, SEEK_SET), 0);
    }
    CHECK_EQ(ksys_lseek(fd, 1l << 60, SEEK_SET), 1l << 60);
    CHECK_EQ(ksys_read(fd, text, 100), 0);
    ksys_close(fd);
}

static void what_cannot_be_done_with_it(void) {
    const char *argv[] = {MAPS, NULL};
    CHECK_EQ(ksys_openat(AT_FDCWD, MAPS, O_RDWR, 0), -EACCES);
    CHECK_EQ(ksys_openat(AT_FDCWD, MAPS, O_WRONLY | O_TRUNC, 0), -EACCES);
    CHECK_EQ(ksys_execve(MAPS, argv, argv + 1), -EACCES);
    int fd = open_maps();
    CHECK_EQ(ksys_mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), -ENODEV);
    CHECK_EQ(ksys_write(fd, "x", 1), -EBADF);
    CHECK_EQ(ksys_read(fd, NULL, 100), -EFAULT);
    CHECK_EQ(ksys_read(fd, (void *)-8l, 100), -EFAULT);
    CHECK_EQ(ksys_read(fd, text, 0), 0);
    char *at = map(2, PROT_RW);
    unmap_pages(at + PAGE, 1);
    long got = ksys_read(fd, at + PAGE - 120, 4000);  // what fits, or nothing of what does not
    CHECK(got > 0 && got <= 120 && at[PAGE - 120 + got - 1] == '\n');
    read_maps(sizeof text);
    CHECK(memcmp(at + PAGE - 120, text, (size_t)got) == 0);
    long next = ksys_read(fd, at, PAGE);
    CHECK(next > 0 && memcmp(at, text + got, (size_t)next) == 0);
    ksys_close(fd);
}

// The map is cut up and grows between reads of a line each: those that are told about are there, and it ends.
static void it_ends_whatever_happens(void) {
    enum { PAGES = 40 };
    static char piece[400];
    char *at = map(PAGES, PROT_READ), *low = at;
    for (int i = 1; i < PAGES; i += 2) { CHECK_EQ(ksys_mprotect(at + i * PAGE, PAGE, PROT_RW), 0); }
    uintptr_t last = 0, seen = 0;
    int fd = open_maps();
    for (long got; (got = ksys_read(fd, piece, 88)) > 0;) {  // not two of the shortest
        struct line l;
        piece[got] = 0;
        bool parsed = parse_line(piece, &l) == piece + got && l.end > last && l.start >= last;
        CHECK(parsed);
        if (!parsed) { break; }
        last = l.end;
        seen += l.end == l.start + PAGE && l.start - (uintptr_t)at < PAGES * PAGE;
        if (l.end - (uintptr_t)at < PAGES * PAGE) { unmap_pages((char *)l.end, 1); }  // the one that would be next
        low -= 2 * PAGE;
        CHECK_EQ(ksys_mmap(low, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), low);
    }
    CHECK_EQ(seen, PAGES / 2);
    ksys_close(fd);
}

// What has been told is not told again, though it is now part of more.
static void the_rest_of_what_has_grown(void) {
    static char piece[400];
    struct line l;
    char *at = map(4, PROT_RW) + PAGE;
    unmap_pages(at - PAGE, 1);
    unmap_pages(at + PAGE, 2);
    int fd = open_maps();
    do {
        long got = ksys_read(fd, piece, 88);
        CHECK(got > 0 && parse_line(piece, &l));
        if (got <= 0) { return; }
    } while (l.end != (uintptr_t)at + PAGE);
    CHECK_EQ(ksys_mmap(at + PAGE, PAGE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at + PAGE);
    CHECK(ksys_read(fd, piece, 88) > 0 && parse_line(piece, &l));
    CHECK(l.start == (uintptr_t)at + PAGE && l.end == (uintptr_t)at + 2 * PAGE);
    read_maps(sizeof text);
    CHECK(shows(at, 2, "rw-p"));
    ksys_close(fd);
}

static uint32_t stop;

static void *change_the_map(void *arg) {
    for (long n = (long)arg; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
        char *at = map(9, PROT_RW);
        ksys_mprotect(at + n % 8 * PAGE, PAGE, PROT_READ);
        unmap_pages(at + n % 4 * PAGE, 1);
        ksys_munmap(at, 9 * PAGE);
    }
    return NULL;
}

static void siblings_change_it_meanwhile(void) {
    struct thread *t[3];
    char *below = map(1, PROT_READ), *at = below - 64 * PAGE;
    CHECK_EQ(ksys_mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at);
    for (long i = 0; i < COUNT(t); i++) { t[i] = begin(change_the_map, (void *)i); }
    for (int i = 0; i < 300; i++) {
        read_maps(i & 1 ? sizeof text : 300);
        CHECK(line_of(at) && line_of(below) && line_of(&stop));
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < COUNT(t); i++) { end(t[i]); }
}

static void a_child_reads_its_own(void) {
    char *at = map(3, PROT_RW);
    int pid = spawn();
    if (pid == 0) {
        unmap_pages(at + PAGE, 1);
        read_maps(sizeof text);
        CHECK(line_of(at) && !line_of(at + PAGE) && line_of(at + 2 * PAGE));
        leave();
    }
    CHECK_EQ(reap(pid), 0);
    read_maps(sizeof text);
    CHECK(line_of(at) == line_of(at + 2 * PAGE));
    unmap_pages(at, 3);
}

int main(int argc, char **argv) {
    static const struct test tests[] = {TEST(a_program_has_its_parts), TEST(the_heap_is_what_brk_says),
                                        TEST(cut_and_joined), TEST(files_and_shared_memory),
                                        TEST(all_pieces_are_the_whole), TEST(what_cannot_be_done_with_it),
                                        TEST(it_ends_whatever_happens), TEST(the_rest_of_what_has_grown),
                                        TEST(siblings_change_it_meanwhile),
                                        TEST(a_child_reads_its_own)};
    return run_tests(tests, COUNT(tests), argc > 1 ? argv[1] : NULL);
}
