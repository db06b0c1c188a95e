// SPDX-License-Identifier: MIT
// file.h - open files, tables of descriptors, and the tree of inodes they come from.
//
// Seam       a file system provides inodes; the system calls see only this header.
// Locking    a file's count is atomic; its offset is under file->lock. A table of descriptors that has one user
//            belongs to that thread, and only it can make it two: no lock is taken then. A shared one is under
//            its lock, and who uses a file of it has a count of its own: a sibling may close the descriptor.
//            Inodes of the initramfs never change, so they need no lock.
#pragma once
#include "mm/backing.h"
#include "sync/mutex.h"

#define PATH_BYTES 256
#define NAME_BYTES 128

struct file;
struct fd_table;
struct inode;

// Move up to n bytes between user memory and the file. => the file is open for that
struct file_ops {
    long (*read)(struct file *f, uaddr buf, usize n);
    long (*write)(struct file *f, uaddr buf, usize n);
    void (*close)(struct file *f);  // the last reference is gone
    bool seek_to_0;                 // lseek succeeds, and all places are one
    long (*sync)(struct file *f);   // what was written is on the medium; NULL: there is none
};

struct file {
    u32 refs;  // (a) descriptors, in all tables
    u32 flags;  // O_ACCMODE bits
    const struct file_ops *ops;
    struct mutex lock;
    u64 offset;  // (lock)
    struct inode *inode;  // never NULL
    void *data;           // the ops' own
};

enum { O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_ACCMODE = 3, O_CREAT = 0100, O_EXCL = 0200,
       O_TRUNC = 01000, O_DIRECTORY = 0200000, O_CLOEXEC = 02000000 };
enum { S_IFIFO = 0010000, S_IFCHR = 0020000, S_IFDIR = 0040000, S_IFBLK = 0060000, S_IFREG = 0100000,
       S_IFMT = 0170000 };
#define AT_FDCWD (-100)

void file_boot(void);
struct file *file_new(const struct file_ops *ops, struct inode *inode, u32 flags) must_check;
void file_get(struct file *f);
void file_put(struct file *f);

// A file in use by a call; `counted`: its table was shared when it was looked up.
struct fd {
    struct file *file;  // NULL: not open
    bool counted;
};
struct fd fd_get(struct fd_table *t, int fd);
static inline void fd_put(struct fd f) {
    if (unlikely(f.counted)) { file_put(f.file); }
}

// Descriptor tables. All return a descriptor or 0, or -errno.
struct fd_table *fd_table_create(void) must_check;
struct fd_table *fd_table_copy(struct fd_table *t) must_check;  // NULL: no memory
void fd_table_get(struct fd_table *t);  // one user more. => the caller is one
void fd_table_put(struct fd_table *t);  // the last one's closes all
bool fd_table_shared(struct fd_table *t);  // => the caller is a user
void fd_table_close_on_exec(struct fd_table *t);
long fd_install(struct fd_table *t, struct file *f, bool cloexec);  // keeps or puts the caller's f
long fd_close(struct fd_table *t, int fd);
long fd_dup(struct fd_table *t, int fd);
long fd_dup_to(struct fd_table *t, int from, int to, bool cloexec);

struct inode {
    u64 ino;
    u32 mode;
    struct backing backing;
    struct inode *parent, *children, *sibling;  // in the tree; the root is its own parent
    const u8 *data;
    const struct file_ops *device;
    u32 unit;  // which one of the device's kind
    char name[NAME_BYTES];
};

void initramfs_boot(const void *cpio, usize len);
struct inode *inode_make_device(const char *path, u32 mode, const struct file_ops *device);  // boot
struct inode *inode_root(void);
// Walk a path from `base`. 0 or -ENOENT (*out: the directory that lacks the last name, or NULL), -ENOTDIR,
// -ENAMETOOLONG.
long inode_find(struct inode *base, const char *path, struct inode **out) must_check;
static inline bool inode_is_file(struct inode *i) { return (i->mode & S_IFMT) == S_IFREG; }
static inline bool inode_is_dir(struct inode *i) { return (i->mode & S_IFMT) == S_IFDIR; }
static inline bool inode_is_disk(struct inode *i) { return (i->mode & S_IFMT) == S_IFBLK; }
static inline u64 inode_size(const struct inode *i) { return atomic_load_relaxed(&i->backing.size); }
static inline struct backing *inode_backing(struct inode *i) { return &i->backing; }
long inode_read(struct inode *i, u64 off, void *buf, usize n);
char *inode_path(struct inode *i, char buf[PATH_BYTES]);  // it ends where buf does; NULL: too long
// The `index`-th entry of a directory: its inode, or NULL at the end. 0 and 1 are . and ..
struct inode *inode_entry(struct inode *dir, u64 index, const char **name);
long inode_open(struct inode *i, u32 flags, struct file **out) must_check;

// Device files (dev/) and pipes.
const struct file_ops *device_ops(const char *name);  // NULL: no such device
void file_open_console(struct fd_table *t);           // as 0, 1 and 2
void procfs_boot(void);  // => the initramfs is there
void memfd_boot(void);
long memfd_create(struct file **out) must_check;
// Make a file of memory longer: -EPERM if it is longer already (as if sealed against shrinking: its pages may be
// mapped), -EINVAL if the file is another one.
long memfd_resize(struct file *f, u64 size);
void pipe_boot(void);
long pipe_create(struct file **read_end, struct file **write_end) must_check;
u64 pipe_frames(void);
