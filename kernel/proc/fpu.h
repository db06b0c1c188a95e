// SPDX-License-Identifier: MIT
// fpu.h - the floating point registers of threads.
#pragma once
#include "proc/thread.h"

void fpu_start(struct thread *t);    // first use. => t is the current thread
void fpu_update(struct thread *t);   // bring t->fp up to date. => t is the current thread
void fpu_restore(struct thread *t);  // the registers from t->fp. => interrupts off, or t current
