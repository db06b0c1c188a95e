// SPDX-License-Identifier: MIT
// spawn.c - posix_spawn by vfork's way: see spawn.h.
//
// Model      The child has our memory and the table of descriptors and directory of its own. It runs on a piece of
//            our stack, below which we sleep until it has executed the program, or is gone: so it writes nothing
//            that we have but that stack, the order's `error`, and errno, which it shares with us.
// Invariants S1 The child is a process: what it does to descriptors is not seen here, nor by our other threads.
//            S2 Who gets an error has no child. Between the child's exit and our wait for it another thread that
//               waits for any child may take it; then it sees a number that posix_spawn never returned.
//            S3 A child killed on its way (no memory for a page of ours, or by a signal) has written no error:
//               the caller has a child, which died by that signal.
#include <clone.h>
#include <errno.h>
#include <fcntl.h>
#include <ksys.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { STACK_BYTES = 4096, MET = POSIX_SPAWN_RESETIDS | POSIX_SPAWN_USEVFORK };
enum { CLOSE, DUP2, OPEN };

typedef int exec_call(const char *path, char *const argv[], char *const envp[]);

struct order {
    exec_call *exec;
    const char *path;
    const posix_spawn_file_actions_t *actions;
    char *const *argv, *const *envp;
    int error;
};

// ---- the child

// To the same number is by way of another: that one is not closed on exec.
static int move(int from, int fd, int flags) {
    int other = from == fd ? dup(from) : from;
    if (other < 0 || dup3(other, fd, flags) < 0) { return -1; }
    return from == fd ? close(other) : 0;
}

// `fd` is closed first, whether it was open or not, so that its number may be the one we get.
static int open_as(int fd, const char *path, int flags, mode_t mode) {
    close(fd);
    int got = open(path, flags, mode);
    if (got < 0 || got == fd) { return got; }
    return move(got, fd, flags & O_CLOEXEC) < 0 ? -1 : close(got);
}

static int act(const posix_spawn_file_actions_t *a, int i) {
    int fd = a->action[i].fd;
    switch (a->action[i].what) {
    case CLOSE:
        return close(fd) < 0 && errno != EBADF ? -1 : 0;  // closed already: so it shall be
    case DUP2:
        return move(a->action[i].from, fd, 0);
    default:
        return open_as(fd, a->paths + a->action[i].path, a->action[i].flags, a->action[i].mode);
    }
}

static void child_main(void *arg) {
    struct order *o = arg;
    bool good = true;
    for (int i = 0; good && o->actions && i < o->actions->count; i++) { good = act(o->actions, i) >= 0; }
    if (good) { o->exec(o->path, o->argv, o->envp); }
    o->error = errno;
    _exit(127);
}

// ---- the caller

static int spawn(pid_t *pid, struct order *o) {
    char stack[STACK_BYTES] __attribute__((aligned(16)));
    int ours = errno;
    long got = clone_run(CLONE_VM | CLONE_VFORK | SIGCHLD, stack + sizeof stack, NULL, NULL, NULL, child_main, o);
    errno = ours;
    if (got < 0) { return (int)-got; }
    if (o->error) {
        ksys_wait4((int)got, NULL, 0, NULL);
        return o->error;
    }
    if (pid) { *pid = (pid_t)got; }
    return 0;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
                char *const argv[], char *const envp[]) {
    struct order o = {.exec = execve, .path = path, .actions = actions, .argv = argv, .envp = envp};
    return attr && attr->flags & ~MET ? EINVAL : spawn(pid, &o);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
                 char *const argv[], char *const envp[]) {
    struct order o = {.exec = execvpe, .path = file, .actions = actions, .argv = argv, .envp = envp};
    return attr && attr->flags & ~MET ? EINVAL : spawn(pid, &o);
}

// ---- actions and attributes

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *a) {
    a->count = a->path_bytes = 0;
    return 0;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *a) { return posix_spawn_file_actions_init(a); }

// One more, with zeros to be filled in: *i is its place. A number that no descriptor has is for the child to find,
// unless it is negative or does not fit.
static int add(posix_spawn_file_actions_t *a, int what, int from, int fd, int *i) {
    if (fd < 0 || from < 0 || fd > 0x7fff || from > 0x7fff) { return EBADF; }
    if (a->count == SPAWN_ACTIONS_MAX) { return ENOMEM; }
    *i = a->count++;
    memset(&a->action[*i], 0, sizeof a->action[*i]);
    a->action[*i].what = (short)what;
    a->action[*i].from = (short)from;
    a->action[*i].fd = (short)fd;
    return 0;
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *a, int from, int fd) {
    int i;
    return add(a, DUP2, from, fd, &i);
}

int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *a, int fd) {
    int i;
    return add(a, CLOSE, 0, fd, &i);
}

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *a, int fd, const char *path, int flags, mode_t mode) {
    size_t bytes = strlen(path) + 1;
    int i;
    if (bytes > sizeof a->paths - a->path_bytes) { return ENOMEM; }
    int error = add(a, OPEN, 0, fd, &i);
    if (error) { return error; }
    memcpy(a->paths + a->path_bytes, path, bytes);
    a->action[i].path = a->path_bytes;
    a->action[i].flags = flags;
    a->action[i].mode = mode;
    a->path_bytes = (unsigned short)(a->path_bytes + bytes);
    return 0;
}

int posix_spawnattr_init(posix_spawnattr_t *attr) { return posix_spawnattr_setflags(attr, 0); }

int posix_spawnattr_destroy(posix_spawnattr_t *attr) { return posix_spawnattr_setflags(attr, 0); }

int posix_spawnattr_setflags(posix_spawnattr_t *attr, short flags) {
    if (flags & ~MET) { return EINVAL; }
    attr->flags = flags;
    return 0;
}

int posix_spawnattr_getflags(const posix_spawnattr_t *attr, short *flags) {
    *flags = attr->flags;
    return 0;
}
