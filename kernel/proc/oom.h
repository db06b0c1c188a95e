// SPDX-License-Identifier: MIT
// oom.h - what is done when there is no memory, and a device to swap to.
#pragma once
#include "lib/types.h"

// Make room. True: whatever failed for want of memory is worth another try. Without a swap device always false: then
// who asks has to do without. => no lock of rank AS or above
bool oom_relieve(void);
// Has an allocation of this thread found no frame since this was asked, or oom_relieve called, last?
bool oom_was_short(void);
