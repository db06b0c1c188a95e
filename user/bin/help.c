// SPDX-License-Identifier: MIT
// help.c - what can be typed at the shell.
#include <stdio.h>

int main(void) {
    puts("a | b   a ; b   a && b   a || b   a &   ( a )   < > >> 2> 2>&1 >&2   # comment\n"
         "'...' \"...\" \\c   NAME=value   $NAME ${NAME} $? $!   cd exit unset wait\n"
         "programs: ls /bin /tests\n"
         "keys: DEL erases, ^U erases the line, ^D ends the input, ^T shows the harts");
    return 0;
}
