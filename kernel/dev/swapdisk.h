// SPDX-License-Identifier: MIT
// swapdisk.h - a disk as swap device, whole: page n is its n-th 4 KiB.
#pragma once
#include "lib/types.h"

long swapdisk_on(u32 unit);  // 0; -EBUSY: there is one already; -EROFS, -EINVAL, -ENOMEM
