// SPDX-License-Identifier: MIT
// unmap.h - taking pages away from a range of addresses.
#pragma once
#include "mm/as.h"

// Widen [lo, hi) beyond its ends as far as no region is there and no more tables are met, so that none is cut
// without need and none stays behind where nothing is; and own those that are cut, so that unmap_range cannot fail.
// 0 or -ENOMEM. => as->lock
int unmap_prepare(struct as *as, u64 *lo, u64 *hi) must_check;
// No more than to own them: for addresses that stay.
int unmap_own(struct as *as, u64 lo, u64 hi) must_check;
// Remove what [lo, hi) maps. => as->lock since then; of addresses that go, the map says by
// now that nothing is there
void unmap_range(struct as *as, u64 lo, u64 hi);
