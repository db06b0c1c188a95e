// SPDX-License-Identifier: MIT
// dirent.h - reading directories, over getdents64.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#define DT_UNKNOWN 0
#define DT_FIFO 1
#define DT_CHR 2
#define DT_DIR 4
#define DT_REG 8
#define DT_LNK 10

// A record as getdents64 returns it; d_reclen bytes long.
struct dirent {
    uint64_t d_ino;
    int64_t d_off;
    unsigned short d_reclen;
    unsigned char d_type;
    char d_name[256];
};

typedef struct dir DIR;

// Fill buf with whole records. Returns the bytes used, 0 at the end, -1 with errno.
ssize_t getdents(int fd, void *buf, size_t len);

DIR *opendir(const char *path);
struct dirent *readdir(DIR *dir);
int closedir(DIR *dir);
int dirfd(DIR *dir);
