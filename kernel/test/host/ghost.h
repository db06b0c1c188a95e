// SPDX-License-Identifier: MIT
// ghost.h - the fake machine's memory, and what free frames hold.
#pragma once
#include "mm/frame.h"

void *ghost_memory(usize bytes);  // the arena
void ghost_lay(frame_t f);        // f is free from here on: whoever looks at it sees a ghost
