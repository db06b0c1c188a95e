// SPDX-License-Identifier: MIT
// spawn.h - a program in a child, without a copy of the caller's memory in between (POSIX). All return 0 or an
// error number.
#pragma once
#include <sys/types.h>

#define POSIX_SPAWN_RESETIDS 0x01  // met: there are no users
#define POSIX_SPAWN_SETPGROUP 0x02
#define POSIX_SPAWN_SETSIGDEF 0x04
#define POSIX_SPAWN_SETSIGMASK 0x08
#define POSIX_SPAWN_SETSCHEDPARAM 0x10
#define POSIX_SPAWN_SETSCHEDULER 0x20
#define POSIX_SPAWN_USEVFORK 0x40  // met: there is no other way

// What the child does to its descriptors, in this order. Nothing is allocated: ENOMEM when either is full.
enum { SPAWN_ACTIONS_MAX = 16, SPAWN_PATH_BYTES = 1024 };

typedef struct {
    unsigned short count, path_bytes;
    struct {
        short what, fd, from;
        unsigned short path;  // where it begins in `paths`
        int flags;
        mode_t mode;
    } action[SPAWN_ACTIONS_MAX];
    char paths[SPAWN_PATH_BYTES];
} posix_spawn_file_actions_t;

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *a);
int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *a);
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *a, int from, int fd);
int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *a, int fd);
int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *a, int fd, const char *path, int flags, mode_t mode);

// Flags that Kine cannot meet are EINVAL: there are no groups, classes and handlers of signals to be set.
typedef struct {
    short flags;
} posix_spawnattr_t;

int posix_spawnattr_init(posix_spawnattr_t *attr);
int posix_spawnattr_destroy(posix_spawnattr_t *attr);
int posix_spawnattr_setflags(posix_spawnattr_t *attr, short flags);
int posix_spawnattr_getflags(const posix_spawnattr_t *attr, short *flags);

// Start the program, or return why its first file action or execve failed; there is no child then. pid may be NULL.
// posix_spawnp looks for `file` as execvp does, by the caller's PATH.
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
                char *const argv[], char *const envp[]);
int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
                 char *const argv[], char *const envp[]);
