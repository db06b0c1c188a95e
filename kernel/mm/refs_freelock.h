// SPDX-License-Identifier: MIT
// refs_freelock.h - write-up 000's design, put right: one lock guards the free list and every count.
// A baseline to measure against; its list is mm/freelist_global.c.
#pragma once
#include "sync/spin.h"
extern struct spin frames_lock;
#define REFS_LOCK frames_lock
#include "mm/refs_locked.h"
