// SPDX-License-Identifier: MIT
// help.c - what can be typed at the shell.
#include <stdio.h>

int main(void) {
    printf("a | b   a ; b   a && b   a || b   a &   ( a )   < > >> 2> 2>&1 >&2   # comment\n"
           "'...' \"...\" \\c   NAME=value   $NAME ${NAME} $? $!   cd exit unset wait   ls /bin /tests\n"
           "at the console: DEL erases, ^U erases the line, ^D ends the input, ^T shows the harts\n");
    return 0;
}
