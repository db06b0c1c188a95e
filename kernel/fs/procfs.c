// SPDX-License-Identifier: MIT
// procfs.c - /proc/self/maps: the regions of whoever reads it, a line each, as Linux's proc(5) has them.
//
// Model      A file without contents: a read writes down what the map is at that moment. A place in the file is not
//            a count of bytes but an address, that of the first byte of memory that has not been told about, and below
//            a page's size how much of that region's line has been given away. So each read goes on where the last
//            one has stopped, whatever has happened to the map meanwhile; of a region that has come to lie across
//            that address, the rest is shown. Addresses only grow, so there is an end; and 0 is the beginning. A line
//            is torn only if it does not fit into the reader's buffer as a whole.
// Locking    file->lock, and within it as->lock for one line; user memory is written without that.
#include "fs/file.h"
#include "lib/print.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "proc/sched.h"

#define NAME_COLUMN 73  // where Linux has the names
#define LINE_BYTES (NAME_COLUMN + PATH_BYTES + 1)

struct line {
    usize len;  // 0: there is no more
    u64 start, end;  // of the region
    char text[LINE_BYTES];
};

// What lies in memory without a file: the heap and the stack are where exec.c has put them.
static const char *name_of_memory(const struct as *as, const struct region *r) {
    u64 stack_top = as->brk_start - PAGE_SIZE;
    if (r->start < as->brk && as->brk_start < r->end) { return "[heap]"; }
    return r->start < stack_top && stack_top <= r->end ? "[stack]" : "";
}

// A file's name, or what it is, and its number.
static const char *name_of_backing(struct backing *b, char path[PATH_BYTES], u64 *ino) {
    if (b->ops->kind) {
        *ino = backing_number(b);
        return b->ops->kind;
    }
    struct inode *i = container_of(b, struct inode, backing);
    *ino = i->ino;
    const char *name = inode_path(i, path);
    return name ? name : "";
}

// => as->lock
static void write_line(struct line *line, const struct as *as, const struct region *r) {
    char path[PATH_BYTES];
    u64 ino = 0, off = r->backing ? r->file_off : 0;
    const char *name = r->backing ? name_of_backing(r->backing, path, &ino) : name_of_memory(as, r);
    usize n = snprintf(line->text, LINE_BYTES, "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ", r->start, r->end,
                       r->prot & PROT_READ ? 'r' : '-', r->prot & PROT_WRITE ? 'w' : '-',
                       r->prot & PROT_EXEC ? 'x' : '-', r->shared ? 's' : 'p', off, r->backing ? 1 : 0, ino);
    while (*name && n < NAME_COLUMN) { line->text[n++] = ' '; }
    line->len = n + snprintf(line->text + n, LINE_BYTES - n, "%s\n", name);
    ASSERT(line->len < LINE_BYTES, "%lu bytes", line->len);
}

// The line of the first region that ends behind an address, from there on.
static void find_line(struct line *line, u64 from) {
    struct as *as = as_self();
    line->len = 0;
    mutex_lock(&as->lock);
    const struct region *r = region_first(as, from);
    if (r) {
        struct region rest = region_cut(r, MAX(from, r->start), r->end);
        line->start = rest.start;
        line->end = rest.end;
        write_line(line, as, &rest);
    }
    mutex_unlock(&as->lock);
}

// Lines, or a part of the first, at f->offset. How many bytes, or -errno. => f->lock
static long read_lines(struct file *f, uaddr buf, usize n) {
    struct line line;
    long error = 0;
    usize done = 0;
    while (done < n && !error && sched_go_on()) {
        find_line(&line, ALIGN_DOWN(f->offset, PAGE_SIZE));
        usize given = MIN(f->offset % PAGE_SIZE, line.len), step = MIN(line.len - given, n - done);
        bool whole = given + step == line.len;
        if (!line.len || (done && !whole)) { break; }
        error = copy_out(buf + done, line.text + given, step);
        if (!error) {
            f->offset = whole ? line.end : line.start | (given + step);
            done += step;
        }
    }
    return done ? (long)done : error;
}

static long maps_read(struct file *f, uaddr buf, usize n) {
    mutex_lock(&f->lock);
    long done = read_lines(f, buf, n);
    mutex_unlock(&f->lock);
    return done;
}

void procfs_boot(void) {
    static const struct file_ops maps = {.read = maps_read};
    inode_make_device("proc/self/maps", S_IFREG | 0444, &maps);
}
