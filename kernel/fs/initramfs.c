// SPDX-License-Identifier: MIT
// initramfs.c - the tree of files that the boot loader put into memory (cpio "newc", as cpio(5) and
// Linux's buffer-format.rst describe it), with /dev added.
//
// Everything is built at boot and constant afterwards: no locks, no counts. The archive's bytes stay
// where they are.
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/kvm.h"
#include "mm/uaccess.h"

static struct inode root = {.parent = &root, .ino = 1, .mode = S_IFDIR | 0755};
static u64 last_ino = 1;

static long read_backing(struct backing *b, u64 off, void *buf, usize n) {
    return inode_read(container_of(b, struct inode, backing), off, buf, n);
}

static const struct backing_ops tree_backing = {.read = read_backing};  // files that are there for ever

static struct inode *add(struct inode *dir, const char *name, usize len, u32 mode) {
    struct inode *i = boot_alloc(sizeof(*i));
    backing_init(&i->backing, &tree_backing, 0);
    i->parent = dir;
    i->mode = mode;
    i->ino = ++last_ino;
    memcpy(i->name, name, MIN(len, NAME_BYTES - 1));
    struct inode **at = &dir->children;
    while (*at && strcmp((*at)->name, i->name) < 0) { at = &(*at)->sibling; }
    i->sibling = *at;
    *at = i;
    return i;
}

// Move *path to its next component. Its length; 0: nothing but slashes was left.
static usize component(const char **path) {
    *path += strspn(*path, "/");
    return strcspn(*path, "/");
}

// What a component names in a directory. An empty one, after the last slash, is the directory.
static struct inode *child(struct inode *dir, const char *name, usize len) {
    if (len == 0 || (len == 1 && name[0] == '.')) { return dir; }
    if (len == 2 && name[0] == '.' && name[1] == '.') { return dir->parent; }
    for (struct inode *i = dir->children; i; i = i->sibling) {
        if (strlen(i->name) == len && memcmp(i->name, name, len) == 0) { return i; }
    }
    return NULL;
}

// What stands at `path`, made with `mode` if nothing does; and the directories on the way to it.
static struct inode *make(const char *path, u32 mode) {
    struct inode *i = &root;
    while (*path) {
        usize len = component(&path);
        struct inode *next = child(i, path, len);
        i = next ? next : add(i, path, len, path[len] ? S_IFDIR | 0755 : mode);
        path += len;
    }
    return i;
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
            name[namesize - 1] || strcmp(name, "TRAILER!!!") == 0) {
            break;
        }
        p = data + ALIGN_UP(size, 4);
        struct inode *i = make(name, mode & 0177777);
        if (inode_is_file(i) && !i->data) {
            i->data = data;
            i->backing.size = size;
        }
    }
}

struct inode *inode_make_device(const char *path, u32 mode, const struct file_ops *device) {
    struct inode *i = make(path, 0);
    i->mode = mode;
    i->device = device;
    return i;
}

void initramfs_boot(const void *cpio, usize len) {
    static const char *const names[] = {"dev/console", "dev/null", "dev/zero"};
    unpack(cpio, len);
    for (u32 d = 0; d < ARRAY_LEN(names); d++) {
        inode_make_device(names[d], S_IFCHR | 0666, device_ops(names[d] + strlen("dev/")));
    }
}

struct inode *inode_root(void) { return &root; }

long inode_find(struct inode *base, const char *path, struct inode **out) {
    struct inode *i = *path == '/' ? &root : base, *dir = i;
    *out = NULL;
    if (!*path) { return -ENOENT; }
    while (i && *path) {
        if (!inode_is_dir(i)) { return -ENOTDIR; }
        usize len = component(&path);
        if (len >= NAME_BYTES) { return -ENAMETOOLONG; }
        dir = i;
        i = child(dir, path, len);
        path += len;
    }
    *out = i || *path ? i : dir;
    return i ? 0 : -ENOENT;
}

long inode_read(struct inode *i, u64 off, void *buf, usize n) {
#ifndef MUTANT_M47  // offsets are believed
    n = off < inode_size(i) ? MIN(n, inode_size(i) - off) : 0;
#endif
    memcpy(buf, i->data + off, n);
    return n;
}

char *inode_path(struct inode *i, char buf[PATH_BYTES]) {
    char *path = buf + PATH_BYTES - 1;
    *path = 0;
    for (; i != &root; i = i->parent) {
        usize len = strlen(i->name);
        if (len + 1 > (usize)(path - buf)) { return NULL; }
        path -= len;
        memcpy(path, i->name, len);
        *--path = '/';
    }
    if (!*path) { *--path = '/'; }
    return path;
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
    n = f->offset < inode_size(i) ? MIN(n, inode_size(i) - f->offset) : 0;
    long error = n ? copy_out(buf, i->data + f->offset, n) : 0;
    if (!error) { f->offset += n; }
    mutex_unlock(&f->lock);
    return error ? error : (long)n;
}

static const struct file_ops tree_ops = {.read = tree_read};

long inode_open(struct inode *i, u32 flags, struct file **out) {
    bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
    if (flags & O_CREAT && flags & O_EXCL) { return -EEXIST; }
    if ((writes || flags & O_CREAT) && inode_is_dir(i)) { return -EISDIR; }
    if (flags & O_DIRECTORY && !inode_is_dir(i)) { return -ENOTDIR; }
    if (writes && !i->device) { return -EROFS; }
    if (writes && !i->device->write) { return -EACCES; }
    *out = file_new(i->device ? i->device : &tree_ops, i, flags & O_ACCMODE);
    return *out ? 0 : -ENOMEM;
}
