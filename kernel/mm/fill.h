// SPDX-License-Identifier: MIT
// fill.h - what a page is that is touched for the first time.
#pragma once
#include "mm/as.h"

// The leaf for a page of the region that is not there yet: zeros, a file's frame, or a copy of that. 0; -ENOMEM;
// -ENXIO: the file is shorter; -EIO. => the region allows the access
int fill_leaf(const struct region *r, u64 va, enum access access, pte_t *leaf) must_check;
