// SPDX-License-Identifier: MIT
// plays.c - the list of plays.
#include "test/weak/weak.h"

#define PLAYS(X)                                                                                   \
    X(spin) X(try) X(mutex) X(mutex3) X(put) X(put3) X(sole) X(unless) X(handover) X(churn)        \
    X(move) X(enter) X(leave) X(shoot) X(cross)
#define X(name) extern const struct play play_##name;
PLAYS(X)
#undef X

#define X(name) &play_##name,
const struct play *const plays[] = {PLAYS(X) NULL};
