// SPDX-License-Identifier: MIT
// reclaim.h - memory that is not used now goes to the swap device.
#pragma once
#include "mm/as.h"

// Which pages go: those that have not been touched since they were looked at last; any that one table maps alone; any.
enum reclaim_choice { RECLAIM_OLD, RECLAIM_SOLE, RECLAIM_ANY };

// Take about `want` pages away from whoever has them. How many pages have gone; -EAGAIN: none, but not all
// spaces could be looked at; 0: there is nothing to be had. => no lock of rank AS or above
long reclaim(u32 want);
// Pages of [start, end) that one table maps alone, right now. How many, or -errno. => the same
long reclaim_range(struct as *as, u64 start, u64 end);
