// SPDX-License-Identifier: MIT
// track.h - whose frame is it (TRACK=1): who allocated it, who last raised its count and who last
// lowered it, by call path.
//
// Model      A table beside the frame records, written where a frame gets its first count (frame.c)
//            and at each change (mm/refs_*.h). When the audit or a count finds a frame wrong, it makes
//            it the suspect; whoever reports the error then tells the suspect's paths.
// Lines      A count that one hart changes after another is a cache line that moves: that is counted (ref_moves), and
//            beside it what would move if each hart took and gave back references in batches of TRACK_BATCH, and
//            which looks for a sole owner would then find references in other harts' hands (docs/cow.md).
// Limits     only the last of each kind; two harts that change a count at once may mix what is noted.
#pragma once
#include "lib/print.h"

#define TRACK_BATCH 8

#ifdef TRACK
void track_boot(void);             // => frame_table is there
void track_allocated(u32 frame);
void track_raised(u32 frame);
void track_lowered(u32 frame);
void track_asked(u32 frame);       // whether it has a sole owner
void track_suspect(u32 frame);     // 0: nobody
void track_explain(print_say say);  // and forget the suspect
#else
#define track_boot() ((void)0)
#define track_allocated(frame) ((void)0)
#define track_raised(frame) ((void)0)
#define track_lowered(frame) ((void)0)
#define track_asked(frame) ((void)0)
#define track_suspect(frame) ((void)(frame))
#define track_explain(say) ((void)(say))
#endif
