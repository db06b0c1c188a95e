// SPDX-License-Identifier: MIT
// initramfs.c - the tree of files that the boot loader put into memory (cpio "newc", as cpio(5) and
// Linux's buffer-format.rst describe it), with /dev added.
//
// Everything is built at boot and constant afterwards: no locks, no counts. The archive's bytes stay
// where they are.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kvm.h"
#include "mm/uaccess.h"

struct inode {
    struct backing backing;
    struct inode *parent, *children, *sibling;
    const struct file_ops *device;
    const u8 *data;
    u64 size, ino;
    u32 mode;
    char name[NAME_BYTES];
};

static struct inode *root;
static u64 next_ino = 1;

static long read_backing(struct backing *b, u64 off, void *buf, usize n) {
    return inode_read(container_of(b, struct inode, backing), off, buf, n);
}

static struct inode *add(struct inode *dir, const char *name, usize len, u32 mode) {
    struct inode *i = boot_alloc(sizeof(*i));
    i->backing.read = read_backing;
    i->parent = dir ? dir : i;
    i->mode = mode;
    i->ino = next_ino++;
    strlcpy(i->name, name, MIN(len + 1, NAME_BYTES));
    if (dir) {
        struct inode **at = &dir->children;
        while (*at && strcmp((*at)->name, i->name) < 0) { at = &(*at)->sibling; }
        i->sibling = *at;
        *at = i;
    }
    return i;
}

static struct inode *child(struct inode *dir, const char *name, usize len) {
    for (struct inode *i = dir->children; i; i = i->sibling) {
        if (strlen(i->name) == len && strncmp(i->name, name, len) == 0) { return i; }
    }
    return NULL;
}

// The directory in which the last component of `path` stands (made if need be), and that component.
static struct inode *parent_of(const char **path) {
    struct inode *dir = root;
    for (;;) {
        const char *p = *path;
        while (*p == '/' || (p[0] == '.' && p[1] == '/')) { p++; }
        const char *end = p;
        while (*end && *end != '/') { end++; }
        *path = p;
        if (!*end) { return dir; }
        struct inode *next = child(dir, p, end - p);
        dir = next ? next : add(dir, p, end - p, S_IFDIR | 0755);
        *path = end;
    }
}

static u64 hex8(const u8 *p) {
    u64 v = 0;
    for (int i = 0; i < 8; i++) {
        u8 c = p[i] | 0x20;
        v = v << 4 | (c >= 'a' ? c - 'a' + 10 : c - '0');
    }
    return v;
}

static void unpack(const u8 *p, usize len) {
    const u8 *end = p + len;
    while (end - p >= 110 && memcmp(p, "070701", 6) == 0) {
        u64 mode = hex8(p + 14), size = hex8(p + 54), namesize = hex8(p + 94);
        const char *name = (const char *)p + 110;
        const u8 *data = p + ALIGN_UP(110 + namesize, 4);
        if (namesize == 0 || namesize > (u64)(end - p) || data > end || size > (u64)(end - data) ||
            strcmp(name, "TRAILER!!!") == 0) {
            break;
        }
        p = data + ALIGN_UP(size, 4);
        struct inode *dir = parent_of(&name);
        if (!*name || strcmp(name, ".") == 0 || child(dir, name, strlen(name))) {
            continue;
        }
        struct inode *i = add(dir, name, strlen(name), mode & 0177777);
        i->data = data;
        i->size = (mode & S_IFMT) == S_IFREG ? size : 0;
    }
}

void initramfs_boot(const void *cpio, usize len) {
    static const char *const devices[] = {"console", "null", "zero"};
    root = add(NULL, "", 0, S_IFDIR | 0755);
    unpack(cpio, len);
    for (u32 d = 0; d < ARRAY_LEN(devices); d++) {
        const char *name = "dev/x";
        struct inode *dev = parent_of(&name);
        struct inode *i = child(dev, devices[d], strlen(devices[d]));
        i = i ? i : add(dev, devices[d], strlen(devices[d]), 0);
        i->mode = S_IFCHR | 0666;
        i->device = device_ops(devices[d]);
    }
}

struct inode *inode_root(void) { return root; }

long inode_find(struct inode *base, const char *path, struct inode **out) {
    struct inode *i = *path == '/' ? root : base;
    if (!*path) { return -ENOENT; }
    while (*path) {
        usize len = 0;
        while (*path == '/') { path++; }
        while (path[len] && path[len] != '/') { len++; }
        if (len == 0) {
            if (!inode_is_dir(i)) { return -ENOTDIR; }
            break;
        }
        if (!inode_is_dir(i)) { return -ENOTDIR; }
        if (len >= NAME_BYTES) { return -ENAMETOOLONG; }
        if (len == 2 && path[0] == '.' && path[1] == '.') {
            i = i->parent;
        } else if (len != 1 || path[0] != '.') {
            i = child(i, path, len);
        }
        if (!i) { return -ENOENT; }
        path += len;
    }
    *out = i;
    return 0;
}

bool inode_is_file(struct inode *i) { return (i->mode & S_IFMT) == S_IFREG; }

bool inode_is_dir(struct inode *i) { return (i->mode & S_IFMT) == S_IFDIR; }

u64 inode_size(struct inode *i) { return i->size; }

long inode_read(struct inode *i, u64 off, void *buf, usize n) {
#ifndef MUTANT_M47  // offsets are believed
    n = off < i->size ? MIN(n, i->size - off) : 0;
#endif
    memcpy(buf, i->data + off, n);
    return n;
}

struct backing *inode_backing(struct inode *i) { return &i->backing; }

void inode_stat(struct inode *i, struct stat_info *st) {
    *st = (struct stat_info){.ino = i->ino, .size = i->size, .mode = i->mode, .links = 1};
}

long inode_path(struct inode *i, char *buf, usize n) {
    usize at = PATH_BYTES;
    char path[PATH_BYTES];
    path[--at] = 0;
    for (; i != root; i = i->parent) {
        usize len = strlen(i->name);
        if (len + 1 > at) { return -ERANGE; }
        at -= len;
        memcpy(path + at, i->name, len);
        path[--at] = '/';
    }
    if (!path[at]) { path[--at] = '/'; }
    if (PATH_BYTES - at > n) { return -ERANGE; }
    memcpy(buf, path + at, PATH_BYTES - at);
    return PATH_BYTES - at;
}

struct inode *inode_entry(struct inode *dir, u64 index, const char **name) {
    if (index < 2) {
        *name = index ? ".." : ".";
        return index ? dir->parent : dir;
    }
    struct inode *i = dir->children;
    for (index -= 2; i && index; index--) { i = i->sibling; }
    *name = i ? i->name : NULL;
    return i;
}

// ---- open files of the tree ----

static long tree_read(struct file *f, uaddr buf, usize n) {
    struct inode *i = f->inode;
    if (inode_is_dir(i)) { return -EISDIR; }
    mutex_lock(&f->lock);
    n = f->offset < i->size ? MIN(n, i->size - f->offset) : 0;
    long result = n ? copy_out(buf, i->data + f->offset, n) : 0;
    if (!result) {
        f->offset += n;
        result = n;
    }
    mutex_unlock(&f->lock);
    return result;
}

static long tree_write(struct file *f, uaddr buf, usize n) {
    (void)f, (void)buf, (void)n;
    return -EROFS;
}

static const struct file_ops tree_ops = {.read = tree_read, .write = tree_write};

long inode_open(struct inode *i, u32 flags, struct file **out) {
    bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
    if (flags & O_DIRECTORY && !inode_is_dir(i)) { return -ENOTDIR; }
    if (writes && inode_is_dir(i)) { return -EISDIR; }
    if (writes && !i->device) { return -EROFS; }
    struct file *f = file_new(i->device ? i->device : &tree_ops, flags & O_ACCMODE);
    if (!f) { return -ENOMEM; }
    f->inode = i;
    *out = f;
    return 0;
}
