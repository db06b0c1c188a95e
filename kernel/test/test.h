// SPDX-License-Identifier: MIT
// test.h - the kernel's unit tests, which run inside the guest (CHECK builds).
#pragma once
#include "lib/types.h"
// Run them all, KTAP on the console. Returns how many failed, or -ENOSYS in other builds.
long test_run_all(void);
