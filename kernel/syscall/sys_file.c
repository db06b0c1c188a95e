// SPDX-License-Identifier: MIT
// sys_file.c - files, directories and pipes. Semantics as the Linux manual pages have them.
#include "dev/disk.h"
#include "dev/swapdisk.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "syscall/syscall.h"

#define AT_EMPTY_PATH 0x1000
#define AT_STAT_FLAGS 0x7900  // that, NO_AUTOMOUNT, SYMLINK_NOFOLLOW, STATX_SYNC_TYPE
#define IOV_MAX 1024
#define SSIZE_MAX (~0ul >> 1)

static struct fd_table *files(void) { return thread_self()->files; }

// The inode that (dirfd, path) names.
static long find(int dirfd, uaddr user_path, struct inode **out) {
    char path[PATH_BYTES];
    long n = copy_in_string(path, user_path, sizeof(path));
    if (n < 0) { return n; }
    if (path[0] == '/' || dirfd == AT_FDCWD) { return inode_find(cwd_of(thread_self()), path, out); }
    struct fd f = fd_get(files(), dirfd);
    long error = f.file ? inode_find(f.file->inode, path, out) : -EBADF;
    fd_put(f);
    return error;
}

long sys_openat(int dirfd, uaddr path, int flags, uint mode) {
    struct inode *i = NULL;
    struct file *f;
    (void)mode;
    long error = find(dirfd, path, &i);
    if (error == -ENOENT && flags & O_CREAT && i) { error = -EROFS; }
    error = error ? error : inode_open(i, flags, &f);
    return error ? error : fd_install(files(), f, flags & O_CLOEXEC);
}

long sys_close(int fd) { return fd_close(files(), fd); }

static bool readable(struct file *f) { return f && f->flags != O_WRONLY; }

static bool writable(struct file *f) { return f && f->flags != O_RDONLY; }

long sys_read(int fd, uaddr buf, usize len) {
    struct fd f = fd_get(files(), fd);
    long n = readable(f.file) ? f.file->ops->read(f.file, buf, MIN(len, 0x7ffff000ul)) : -EBADF;
    fd_put(f);
    return n;
}

long sys_write(int fd, uaddr buf, usize len) {
    struct fd f = fd_get(files(), fd);
    long n = writable(f.file) ? f.file->ops->write(f.file, buf, MIN(len, 0x7ffff000ul)) : -EBADF;
    fd_put(f);
    return n;
}

static long vector(struct file *f, uaddr iov, int count, long (*one)(struct file *, uaddr, usize)) {
    u64 v[2], sum = 0;
    long total = 0;
    if (count < 0 || count > IOV_MAX) { return -EINVAL; }
    for (int i = 0; i < count; i++, sum += v[1]) {
        if (copy_in(v, iov + 16 * i, sizeof(v))) { return -EFAULT; }
        if (v[1] > SSIZE_MAX - sum) { return -EINVAL; }
    }
    for (int i = 0; i < count; i++) {
        long n = copy_in(v, iov + 16 * i, sizeof(v));  // again: a read may have changed it
        n = n ? n : v[1] ? one(f, v[0], MIN(v[1], 0x7ffff000ul)) : 0;
        if (n < 0) { return total ? total : n; }
        total += n;
        if ((u64)n < v[1]) { break; }
    }
    return total;
}

long sys_readv(int fd, uaddr iov, int count) {
    struct fd f = fd_get(files(), fd);
    long n = readable(f.file) ? vector(f.file, iov, count, f.file->ops->read) : -EBADF;
    fd_put(f);
    return n;
}

long sys_writev(int fd, uaddr iov, int count) {
    struct fd f = fd_get(files(), fd);
    long n = writable(f.file) ? vector(f.file, iov, count, f.file->ops->write) : -EBADF;
    fd_put(f);
    return n;
}

static long seek(struct file *f, long off, int whence) {
    struct inode *i = f->inode;
    if (f->ops->seek_to_0) { return whence < 0 || whence > 4 ? -EINVAL : 0; }
    if (!inode_is_file(i) && !inode_is_dir(i) && !inode_is_disk(i)) { return -ESPIPE; }
    mutex_lock(&f->lock);
    long base = whence == 0 ? 0 : whence == 1 ? (long)f->offset : whence == 2 ? (long)inode_size(i) : -1;
#ifdef MUTANT_offset_overflow  // "looked at afterwards"
    long result = base < 0 || (base += off) < 0 ? -EINVAL : base;
#else
    long result = base < 0 || __builtin_add_overflow(base, off, &base) || base < 0 ? -EINVAL : base;
#endif
    if (result >= 0) { f->offset = result; }
#ifdef MUTANT_leave_locked  // an error path of its own
    if (result < 0) { return result; }
#endif
    mutex_unlock(&f->lock);
    return result;
}

long sys_lseek(int fd, long off, int whence) {
    struct fd f = fd_get(files(), fd);
    long result = f.file ? seek(f.file, off, whence) : -EBADF;
    fd_put(f);
    return result;
}

long sys_ftruncate(int fd, long size) {
    if (size < 0) { return -EINVAL; }
    struct fd f = fd_get(files(), fd);
    long result = !f.file ? -EBADF : writable(f.file) ? memfd_resize(f.file, size) : -EINVAL;
    fd_put(f);
    return result;
}

// The name is for people alone: it is looked at, and not kept.
long sys_memfd_create(uaddr user_name, uint flags) {
    char name[PATH_BYTES];
    struct file *f;
    long error = copy_in_string(name, user_name, sizeof(name) - sizeof("memfd:"));
    if (error == -ENAMETOOLONG || flags & ~1u) { return -EINVAL; }
    error = error < 0 ? error : memfd_create(&f);
    return error ? error : fd_install(files(), f, flags & 1);
}

long sys_swapon(uaddr path, int flags) {
    struct inode *i;
    long error = flags ? -EINVAL : find(AT_FDCWD, path, &i);
    return error ? error : inode_is_disk(i) ? swapdisk_on(i->unit) : -EINVAL;
}

static long sync_file(struct file *f) {
    if (f->ops->sync) { return f->ops->sync(f); }
    return inode_is_file(f->inode) || inode_is_dir(f->inode) ? 0 : -EINVAL;
}

long sys_fsync(int fd) {
    struct fd f = fd_get(files(), fd);
    long result = f.file ? sync_file(f.file) : -EBADF;
    fd_put(f);
    return result;
}

long sys_fdatasync(int fd) { return sys_fsync(fd); }

// Errors stay with the disk: sync cannot tell.
long sys_sync(void) {
    for (u32 i = 0; i < disk_count(); i++) {
        long error = disk_flush(disk_get(i));
        (void)error;
    }
    return 0;
}

// struct stat of asm-generic/stat.h.
static long put_stat(uaddr to, const struct inode *i) {
    struct {
        u64 dev, ino;
        u32 mode, nlink, uid, gid;
        u64 rdev, pad1;
        i64 size;
        i32 blksize, pad2;
        i64 blocks, atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
        u32 unused[2];
    } st = {.dev = 1, .ino = i->ino, .mode = i->mode, .nlink = 1, .size = inode_size(i),
            .blksize = PAGE_SIZE, .blocks = (inode_size(i) + 511) / 512};
    return copy_out(to, &st, sizeof(st));
}

long sys_fstat(int fd, uaddr to) {
    struct fd f = fd_get(files(), fd);
    long error = f.file ? put_stat(to, f.file->inode) : -EBADF;
    fd_put(f);
    return error;
}

long sys_newfstatat(int dirfd, uaddr path, uaddr to, int flags) {
    struct inode *i;
    char first;
    if (flags & ~AT_STAT_FLAGS) { return -EINVAL; }
    if (flags & AT_EMPTY_PATH && copy_in(&first, path, 1) == 0 && !first) {
        return dirfd == AT_FDCWD ? put_stat(to, cwd_of(thread_self())) : sys_fstat(dirfd, to);
    }
    long error = find(dirfd, path, &i);
    return error ? error : put_stat(to, i);
}

// struct linux_dirent64, one at a time: its length, or -EINVAL: no room.
static long put_entry(uaddr to, usize room, struct inode *i, const char *name, u64 next) {
    usize len = ALIGN_UP(19 + strlen(name) + 1, 8);
    struct {
        u64 ino, off;
        u16 reclen;
        u8 type;
        char name[NAME_BYTES + 8];
    } __attribute__((packed)) d = {i->ino, next, len, (i->mode & S_IFMT) >> 12, ""};
    if (len > room) { return -EINVAL; }
    strlcpy(d.name, name, sizeof(d.name));
    long error = copy_out(to, &d, len);
    return error ? error : (long)len;
}

static long put_entries(struct file *f, uaddr buf, usize len) {
    if (!inode_is_dir(f->inode)) { return -ENOTDIR; }
    long done = 0, n = 0;
    const char *name;
    struct inode *i;
    mutex_lock(&f->lock);
    while (n >= 0 && (i = inode_entry(f->inode, f->offset, &name))) {
        n = put_entry(buf + done, len - done, i, name, f->offset + 1);
        if (n > 0) {
            done += n;
            f->offset++;
        }
    }
    mutex_unlock(&f->lock);
    return done ? done : n;
}

long sys_getdents64(int fd, uaddr buf, usize len) {
    struct fd f = fd_get(files(), fd);
    long n = f.file ? put_entries(f.file, buf, len) : -EBADF;
    fd_put(f);
    return n;
}

long sys_dup(int fd) { return fd_dup(files(), fd); }

long sys_dup3(int oldfd, int newfd, int flags) {
    return flags & ~O_CLOEXEC ? -EINVAL : fd_dup_to(files(), oldfd, newfd, flags & O_CLOEXEC);
}

long sys_pipe2(uaddr fds, int flags) {
    struct file *r, *w;
    if (flags & ~O_CLOEXEC) { return -EINVAL; }
    long error = pipe_create(&r, &w);
    if (error) { return error; }
    int fd[2];
    fd[0] = fd_install(files(), r, flags & O_CLOEXEC);
    fd[1] = fd_install(files(), w, flags & O_CLOEXEC);
    error = fd[0] < 0 || fd[1] < 0 ? -EMFILE : copy_out(fds, fd, sizeof(fd));
#ifdef MUTANT_M42  // open, and nobody knows their numbers
    if (error == -EFAULT) { return error; }
#endif
    if (error) {
        fd_close(files(), fd[0]);  // no harm if it is none
        fd_close(files(), fd[1]);
    }
    return error;
}

long sys_chdir(uaddr path) {
    struct inode *i;
    long error = find(AT_FDCWD, path, &i);
    if (error) { return error; }
    if (!inode_is_dir(i)) { return -ENOTDIR; }
    cwd_move(thread_self(), i);
    return 0;
}

long sys_getcwd(uaddr buf, usize len) {
    char path[PATH_BYTES];
    const char *start = inode_path(cwd_of(thread_self()), path);
    if (!start) { return -ERANGE; }
    usize n = path + PATH_BYTES - start;
    long error = n <= len ? copy_out(buf, start, n) : -ERANGE;
    return error ? error : (long)n;
}
