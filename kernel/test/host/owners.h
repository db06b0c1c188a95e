// SPDX-License-Identifier: MIT
// owners.h - frames straight from the free lists, with a note of who has them: a frame that is handed out
// twice is caught at once.
#pragma once
#include "test/host/host.h"

frame_t take(void);             // FRAME_NONE: none left
void give(frame_t f);
u32 take_all(frame_t *list);    // everything there is; how many
// Every frame is free in one place or taken. => all harts stand still, `out` frames are taken
bool each_is_free_once(u32 out);
