// SPDX-License-Identifier: MIT
// backing.h - where the pages of a mapping come from: what mm needs of a file, so that it need not
// know file systems.
#pragma once
#include "lib/types.h"

struct backing {
    // Read up to n bytes at off into kernel memory. Returns how many, or -errno. May sleep.
    long (*read)(struct backing *b, u64 off, void *buf, usize n);
};
