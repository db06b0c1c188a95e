// SPDX-License-Identifier: MIT
// exec.c - replacing a process's memory by a program (System V ABI, RISC-V psABI; stack as Linux's).
//
// Everything that can fail is done in a new address space; only then the old one is given up.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/refs.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "riscv/csr.h"

struct elf_header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};

enum { ET_EXEC = 2, EM_RISCV = 243, PT_LOAD = 1, PF_X = 1, PF_W = 2, PF_R = 4, SEGMENTS_MAX = 16 };
enum { AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_ENTRY = 9, AT_RANDOM = 25 };

#ifdef MUTANT_M47  // what a file says of itself is believed
#define inode_size(file) (~0ul)
#endif

struct image {
    struct as *as;
    u64 entry, end, stack_top, brk, sp;
    u64 phdr, phnum;
};

static bool in_user(u64 start, u64 len) {
    return start >= USER_MIN && start < USER_IMAGE_LIMIT && len <= USER_IMAGE_LIMIT - start;
}

// One segment: whole pages, of which the file gives the beginning. The first page holds what stands
// before the segment in the file, as the ABI has it.
static long load_segment(struct image *im, struct inode *file, const struct elf_segment *s) {
    u64 skew = s->vaddr & (PAGE_SIZE - 1);
    if (s->memsz == 0 && s->filesz == 0) { return 0; }
#ifdef MUTANT_M46  // nothing in the file, nothing to do
    if (s->filesz == 0) { return 0; }
#endif
    if (s->filesz > s->memsz || !in_user(s->vaddr, s->memsz) ||
        (s->filesz && (skew != (s->offset & (PAGE_SIZE - 1)) || s->offset > inode_size(file) ||
                       s->filesz > inode_size(file) - s->offset)) ||
        ((s->flags & PF_W) && (s->flags & PF_X))) {
        return -ENOEXEC;
    }
    u32 prot = (s->flags & PF_R ? PROT_READ : 0) | (s->flags & PF_W ? PROT_WRITE : 0) |
               (s->flags & PF_X ? PROT_EXEC : 0);
    u64 start = s->vaddr - skew, end = ALIGN_UP(s->vaddr + s->memsz, PAGE_SIZE);
    struct region r = {.start = start, .end = end, .prot = prot};
    if (s->filesz) {
        r.backing = inode_backing(file);
        r.file_off = s->offset - skew;
        r.file_bytes = s->filesz + skew;
    }
    // Behind a segment that is not written there may stand what does in the file: so its pages are whole.
    if (r.backing && !(s->flags & PF_W) && s->memsz == s->filesz) { r.file_bytes = end - start; }
    long at = as_map(im->as, &r, AS_VACANT);
    im->end = MAX(im->end, end);
    return at == -EEXIST || at == -EINVAL ? -ENOEXEC : MIN(at, 0);
}

static long load(struct image *im, struct inode *file) {
    struct elf_header h;
    struct elf_segment s[SEGMENTS_MAX];
    if (inode_read(file, 0, &h, sizeof(h)) != sizeof(h) || memcmp(h.ident, "\177ELF\2\1\1", 7) ||
        h.type != ET_EXEC || h.machine != EM_RISCV || h.phentsize != sizeof(s[0]) || !h.phnum ||
        h.phnum > SEGMENTS_MAX || h.phoff > inode_size(file)) {
        return -ENOEXEC;
    }
    long bytes = h.phnum * sizeof(s[0]);
    if (inode_read(file, h.phoff, s, bytes) != bytes) { return -ENOEXEC; }
    bool entry_ok = false;
    for (u32 i = 0; i < h.phnum; i++) {
        if (s[i].type != PT_LOAD) { continue; }
        long error = load_segment(im, file, &s[i]);
        if (error) { return error; }
        entry_ok |= (s[i].flags & PF_X) && h.entry - s[i].vaddr < s[i].memsz;
        if (h.phoff >= s[i].offset && h.phoff + bytes <= s[i].offset + s[i].filesz) {
            im->phdr = s[i].vaddr + h.phoff - s[i].offset;
        }
    }
    im->entry = h.entry;
    im->phnum = h.phnum;
    return entry_ok && !(h.entry & 1) ? 0 : -ENOEXEC;
}

// ---- the new stack, written through the kernel's map while nobody runs on it ----

// Push n bytes of the kernel's, or, if that is NULL, of the caller's.
static long push(struct image *im, const void *bytes, uaddr user, usize n) {
    im->sp -= n;
    for (usize done = 0, step; done < n; done += step) {
        void *to = as_populate(im->as, im->sp + done);
        if (!to) { return -ENOMEM; }
        step = MIN(n - done, PAGE_SIZE - (im->sp + done) % PAGE_SIZE);
        if (bytes) {
            memcpy(to, (const char *)bytes + done, step);
        } else {
            long error = copy_in(to, user + done, step);
            if (error) { return error; }
        }
    }
    return 0;
}

// Of a string of the caller's, without its NUL.
static long length(uaddr s) {
    char piece[256];
    for (u64 n = 0; n <= ARG_BYTES_MAX; n += sizeof(piece)) {
        long last = copy_in_string(piece, s + n, sizeof(piece));
        if (last != -ENAMETOOLONG) { return last < 0 ? last : (long)n + last; }
    }
    return -E2BIG;
}

// Push all strings of a list; their addresses go to where[0 .. n), which has room for max. Returns n.
static long push_strings(struct image *im, uaddr list, u64 *where, u64 max) {
    for (u64 n = 0; list; n++) {
        uaddr s;
        long error = copy_in(&s, list + 8 * n, 8);
        if (error) { return error; }
        if (!s) { return n; }
        long len = length(s);
        if (len < 0) { return len; }
        if (n == max || im->sp - len - 1 < im->stack_top - ARG_BYTES_MAX) { return -E2BIG; }
        error = push(im, "", 0, 1);  // first the NUL: somebody may change the string meanwhile
        error = error ? error : push(im, NULL, s, len);
        if (error) { return error; }
        where[n] = im->sp;
    }
    return 0;
}

// sp -> argc, argv, NULL, envp, NULL, auxv. `words` is a frame for the addresses of the strings.
static long build_stack(struct image *im, uaddr argv, uaddr envp, u64 *words) {
    u64 max = PAGE_SIZE / 8 - 24;
    im->brk = ALIGN_UP(im->end + USER_STACK_SIZE + 2 * PAGE_SIZE, USER_PART);  // a page that is not there on both sides
    im->stack_top = im->brk - PAGE_SIZE;
    long error = as_map_memory(im->as, im->stack_top - USER_STACK_SIZE, USER_STACK_SIZE, PROT_READ | PROT_WRITE,
                               AS_VACANT);
    if (error < 0) { return error; }
    im->sp = im->stack_top;
    u64 seed[2] = {hart_random(), hart_random()};
    error = push(im, seed, 0, sizeof(seed));
    u64 random = im->sp;
    long argc = error ? error : push_strings(im, argv, words + 1, max);
    if (argc < 0) { return argc; }
    words[0] = argc;
    words[argc + 1] = 0;
    long envc = push_strings(im, envp, words + argc + 2, max - argc);
    if (envc < 0) { return envc; }
    u64 n = argc + envc + 2;
    words[n++] = 0;
    u64 aux[] = {AT_PHDR, im->phdr,   AT_PHENT, sizeof(struct elf_segment), AT_PHNUM, im->phnum,
                 AT_PAGESZ, PAGE_SIZE, AT_ENTRY, im->entry, AT_RANDOM, random, AT_NULL, 0};
    memcpy(words + n, aux, sizeof(aux));
    n += ARRAY_LEN(aux);
    im->sp = ALIGN_DOWN(im->sp - n * 8, 16) + n * 8;
    return push(im, words, 0, n * 8);
}

static long build(struct image *im, struct inode *file, uaddr argv, uaddr envp) {
    im->as = as_create();
    frame_t words = im->as ? frame_alloc(FRAME_KERNEL) : FRAME_NONE;
    long error = -ENOMEM;
    if (words) {
        struct thread *t = thread_self();
        t->building = im->as;  // a sibling may keep us waiting: the audit will ask whose this is
        t->building_frame = words;
        error = load(im, file);
        error = error ? error : build_stack(im, argv, envp, frame_kva(words));
        t->building = NULL;
        t->building_frame = 0;
        frame_release(words);
    }
    if (error && im->as) { as_put(im->as); }
    return error;
}

static void become(struct thread *t, struct image *im, const char *path) {
    struct proc *p = t->proc;
    im->as->brk_start = im->as->brk = im->brk;
    thread_leave_space(im->as);
    fd_table_close_on_exec(t->files);
    const char *name = path;
    for (const char *c = path; *c; c++) { name = *c == '/' ? c + 1 : name; }
    strlcpy(p->name, name, sizeof(p->name));
    t->fp_used = false;
    struct trapframe *tf = thread_trapframe(t);
    memset(tf, 0, sizeof(*tf));
    tf->sp = im->sp;
    tf->sepc = im->entry;
    atomic_or_relaxed(&t->work, WORK_NEW_FRAME);
    tf->sstatus = SSTATUS_SPIE;
    COUNT(execs);
}

// A table of descriptors of our own: no other process is to see what is closed now.
static long own_files(struct thread *t) {
    if (!fd_table_shared(t->files)) { return 0; }
    struct fd_table *copy = fd_table_copy(t->files);
    if (!copy) { return -ENOMEM; }
    fd_table_put(t->files);
    t->files = copy;
    return 0;
}

// All that can fail has not failed: from here on there is no way back but death.
static long take_over(struct thread *t, struct image *im, const char *path) {
    t->building = im->as;
    bool alone = thread_alone();
    t->building = NULL;
    if (!alone) {
        as_put(im->as);
        return -EINTR;
    }
    pid_take_over(t);
    thread_sweep(t->proc);
    become(t, im, path);
    return 0;
}

long proc_exec(uaddr user_path, uaddr argv, uaddr envp) {
    char path[PATH_BYTES];
    struct image im = {0};
    struct inode *file;
    struct thread *t = thread_self();
    long n = copy_in_string(path, user_path, sizeof(path));
    long error = n < 0 ? n : inode_find(cwd_of(t), path, &file);
    if (error) { return error; }
    if (!inode_is_file(file) || !(file->mode & 0111)) { return -EACCES; }
    error = build(&im, file, argv, envp);
    if (error) { return error; }
    error = own_files(t);
    if (!error) { return take_over(t, &im, path); }
    as_put(im.as);
    return error;
}
