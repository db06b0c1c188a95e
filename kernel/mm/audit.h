// SPDX-License-Identifier: MIT
// audit.h - accounting for every frame. => all of it while every other hart stands still
#pragma once
#include "mm/as.h"
#include "syscall/abi.h"

void audit_begin(struct kine_audit *report);
void audit_address_space(struct as *as, int pid);
// kernel_frames: what the owners of KERNEL frames say that they have, in all.
void audit_end(u64 kernel_frames);
