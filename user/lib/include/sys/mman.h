// SPDX-License-Identifier: MIT
// sys/mman.h - memory, a process's own or a file's. What has no function here is called by ksys.h.
#pragma once
#include <sys/types.h>

#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4

#define MAP_SHARED 0x01
#define MAP_PRIVATE 0x02
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MADV_DONTNEED 4
#define MADV_FREE 8
#define MADV_PAGEOUT 21
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#define MAP_FAILED ((void *)-1)

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
int munmap(void *addr, size_t len);
