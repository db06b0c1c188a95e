// SPDX-License-Identifier: MIT
// shell.c - the shell's grammar, statuses, redirections, background jobs and messages, and that no
// text brings it down. See script.h.
#include "script.h"
#include <stdlib.h>

#define FIVE(x) x x x x x
#define LETTERS_64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"
#define BYTES_1000 FIVE(FIVE(FIVE("8 bytes_")))
#define READ_ONLY "sh: /newfile: read-only file system\n"
#define WORDS_125 FIVE(FIVE(FIVE("w ")))

static const struct script scripts[] = {
    // words and quotes
    {"echo a   b\tc", "a b c\n", 0, NULL},
    {"echo 'a   b' \"c   d\"", "a   b c   d\n", 0, NULL},
    {"echo a'b'\"c\"d", "abcd\n", 0, NULL},
    {"echo \"it's\" '\"so\"'", "it's \"so\"\n", 0, NULL},
    {"echo \\a \\\\ \\' \"\\\"\" '\\n' \"\\n\"", "a \\ ' \" \\n \\n\n", 0, NULL},
    {"echo a\\ b", "a b\n", 0, NULL},
    {"echo '' \"\" x", "  x\n", 0, NULL},
    {"echo 'two\nlines'", "two\nlines\n", 0, NULL},
    {"echo one \\\ntwo", "one two\n", 0, NULL},
    {"echo a;echo b", "a\nb\n", 0, NULL},
    {"echo ';' '&&' \"|\" \\> '('", "; && | > (\n", 0, NULL},
    {"echo $ $- '$?' \"$?\" \\$? $", "$ $- $? 0 $? $\n", 0, NULL},
    // variables
    {"x=1; echo $x ${x} \"$x\" '$x' \\$x a$x-${x}b", "1 1 1 $x $x a1-1b\n", 0, NULL},
    {"x='a   b'; echo $x; y=$x-$x; echo $y", "a   b\na   b-a   b\n", 0, NULL},
    {"echo a $none b \"$none\" c", "a b  c\n", 0, NULL},
    {"$none echo a; $none", "a\n", 0, NULL},
    {"x=1 y=2 env | tail -n 2", "x=1\ny=2\n", 0, NULL},
    {"x=1 true; echo a$x", "a\n", 0, NULL},
    {"x=1 y=$x; echo a$y; x=2; sh -c 'echo $x'", "a\n2\n", 0, NULL},
    {"x=1 > /dev/null; echo $x; (x=2; echo $x); echo $x", "1\n2\n1\n", 0, NULL},
    {"x=1; unset x; echo a$x; unset none; echo $?", "a\n0\n", 0, NULL},
    {"x=; echo a$x; echo x=1; env | grep -c '^x=$'", "a\nx=1\n1\n", 0, NULL},
    {"1x=2; echo 'x'=3; =4", "sh: 1x=2: not found\nx=3\nsh: =4: not found\n", 127, NULL},
    {"x=echo; $x a; x='echo a'; $x", "a\nsh: echo a: not found\n", 127, NULL},
    {"x='; echo b'; echo a$x", "a; echo b\n", 0, NULL},
    {"f=/dev/null; echo a > $f; cat < $f", "", 0, NULL},
    {"PATH=/nowhere; echo a; PATH=/bin; echo b", "sh: echo: not found\nb\n", 0, NULL},
    {"echo ${x", "sh: syntax: ${ wants a name and a }\n", 2, NULL},
    {"echo a; echo ${}", "sh: syntax: ${ wants a name and a }\n", 2, NULL},
    {"echo $" LETTERS_64, "sh: syntax: a name is too long\n", 2, NULL},
    {"(x='" BYTES_1000 BYTES_1000 "'; echo $x$x$x); echo $?",
     "sh: syntax: too much text in a command\n2\n", 0, NULL},
    // comments and empty texts
    {"", "", 0, NULL},
    {"  \n\n # nothing\n", "", 0, NULL},
    {"echo a # b; echo c\necho d#e", "a\nd#e\n", 0, NULL},
    {"echo a;# comment", "a\n", 0, NULL},
    // statuses
    {"true", "", 0, NULL},
    {"false", "", 1, NULL},
    {"exit 7", "", 7, NULL},
    {"exit 256", "", 0, NULL},
    {"false; exit", "", 1, NULL},
    {"exit x", "sh: x: exit wants a number\n", 2, NULL},
    {"exit 3; echo no", "", 3, NULL},
    {"false; echo $?; echo $?", "1\n0\n", 0, NULL},
    {"(exit 5); echo $?", "5\n", 0, NULL},
    {"sh -c 'exit 9'; echo $?", "9\n", 0, NULL},
    {"sleep 1000 & kill -9 $!; wait $!; echo $?", "137\n", 0, NULL},
    {"sh -c 'kill -TERM $!' ; echo $?", "usage: kill [-SIGNAL] PID... | kill -l\n2\n", 0, NULL},
    // && || ;
    {"true && echo yes", "yes\n", 0, NULL},
    {"false && echo yes", "", 1, NULL},
    {"false || echo no", "no\n", 0, NULL},
    {"true || echo no", "", 0, NULL},
    {"true && false || echo last", "last\n", 0, NULL},
    {"false && echo a || echo b && echo c", "b\nc\n", 0, NULL},
    {"true || echo a && echo b", "b\n", 0, NULL},
    {"false && (echo a; exit 3) | cat; echo $?", "1\n", 0, NULL},
    {"false; true && echo $?", "0\n", 0, NULL},
    {"true &&\n\necho next", "next\n", 0, NULL},
    // pipelines
    {"echo hello | cat | cat | wc -c", "      6\n", 0, NULL},
    {"false | true", "", 0, NULL},
    {"true | false", "", 1, NULL},
    {"echo a | nosuch", "sh: nosuch: not found\n", 127, NULL},
    {"nosuch 2> /dev/null | echo b", "b\n", 0, NULL},
    {"echo a |\ncat", "a\n", 0, NULL},
    {"exit 3 | cat; echo here", "here\n", 0, NULL},
    {"cd /bin | cat; pwd", "/\n", 0, NULL},
    {"yes | head -n 1", "y\n", 0, NULL},
    {"yes | head -n 100000 | tail -n 1", "y\n", 0, NULL},
    {"(echo a; echo b >&2) 2>&1 | wc -l", "      2\n", 0, NULL},
    // groups
    {"(echo a; echo b) | wc -l", "      2\n", 0, NULL},
    {"(cd /bin; pwd); pwd", "/bin\n/\n", 0, NULL},
    {"((echo a); (echo b; exit 4)) || echo $?", "a\nb\n4\n", 0, NULL},
    {"(true && false) || (echo x)", "x\n", 0, NULL},
    {"(echo a; echo b) > /dev/null", "", 0, NULL},
    {"cat (echo)", "sh: syntax: an operator was not expected\n", 2, NULL},
    // redirections
    {"cat < /etc/motd | wc -l", "      1\n", 0, NULL},
    {"< /etc/motd wc -l", "      1\n", 0, NULL},
    {"echo a > /dev/null", "", 0, NULL},
    {"echo a >> /dev/null", "", 0, NULL},
    {"cat < /dev/null", "", 0, NULL},
    {"echo oops >&2 > /dev/null", "", 0, NULL},
    {"echo oops 2>/dev/null >&2", "", 0, NULL},
    {"echo oops > /dev/null 2>&1", "", 0, NULL},
    {"cat /nosuch 2> /dev/null", "", 1, NULL},
    {"> /dev/null", "", 0, NULL},
    {"> /dev/null echo a", "", 0, NULL},
    {"cat < /nosuch; echo $?", "sh: /nosuch: no such file or directory\n1\n", 0, NULL},
    {"echo a > /newfile; echo $?", READ_ONLY "1\n", 0, NULL},
    {"echo a > /etc/motd; echo $?", "sh: /etc/motd: read-only file system\n1\n", 0, NULL},
    {"< /nosuch", "sh: /nosuch: no such file or directory\n", 1, NULL},
    {"cd /nosuch 2> /dev/null; echo $?; cd /bin > /dev/null; pwd", "1\n/bin\n", 0, NULL},
    {"x=1 > /newfile; echo $x; exit 3 > /newfile; echo here",
     READ_ONLY "1\n" READ_ONLY "here\n", 0, NULL},
    {"cat << x", "sh: syntax: a redirection to nowhere\n", 2, NULL},
    {"echo " FIVE("> /dev/null ") FIVE("< /dev/null "),
     "sh: syntax: too many redirections\n", 2, NULL},
    // cd
    {"cd /bin; pwd; cd ..; pwd; cd /tests/elf; cd; pwd", "/bin\n/\n/\n", 0, NULL},
    {"cd /nosuch; echo $?; pwd", "sh: /nosuch: no such file or directory\n1\n/\n", 0, NULL},
    {"cd /bin/sh", "sh: /bin/sh: not a directory\n", 1, NULL},
    // commands that are not there
    {"nosuch", "sh: nosuch: not found\n", 127, NULL},
    {"/bin/nosuch a b", "sh: /bin/nosuch: not found\n", 127, NULL},
    {"/bin/sh/x", "sh: /bin/sh/x: not found\n", 127, NULL},
    {"/etc/motd", "sh: /etc/motd: permission denied\n", 126, NULL},
    {"/tests/elf/d-wrong-magic", "sh: /tests/elf/d-wrong-magic: not an executable\n", 126, NULL},
    {"/bin", "sh: /bin: permission denied\n", 126, NULL},
    {"nosuch; echo $?", "sh: nosuch: not found\n127\n", 0, NULL},
    {"''", "sh: : not found\n", 127, NULL},
    // background jobs
    {"echo a & wait; echo b", "a\nb\n", 0, NULL},
    {"(exit 6) & wait $!; echo $?", "6\n", 0, NULL},
    {"false & echo $?; wait", "0\n", 0, NULL},
    {"false & wait; echo $?", "0\n", 0, NULL},
    {"false && echo no & wait $!; echo $?", "1\n", 0, NULL},
    {"echo a | cat & wait", "a\n", 0, NULL},
    {"cat & wait; echo done", "done\n", 0, "this is not for the background\n"},
    {"wait; wait 1; echo $?", "127\n", 0, NULL},
    {"wait x; echo $?; wait 0",
     "sh: x: wait wants a process\n2\nsh: 0: wait wants a process\n", 2, NULL},
    {"sleep 1000 < /dev/null > /dev/null & kill $!; wait $!", "", 143, NULL},
    {"x=3 exit 4 & wait $!; echo $?", "4\n", 0, NULL},
    {"sleep 1000 & kill $!; wait $!; echo $?; (kill $! ; echo $?)",
     "143\nkill: @: no such process\n1\n", 0, NULL},
    // what is wrong is not begun
    {"echo a; )", "sh: syntax: a ) was not expected\n", 2, NULL},
    {"echo a; (echo b", "sh: syntax: a ( is not closed\n", 2, NULL},
    {"echo a; echo 'b", "sh: syntax: a quote is not closed\n", 2, NULL},
    {"echo a | | cat", "sh: syntax: a command was expected\n", 2, NULL},
    {"echo a &&", "sh: syntax: a command was expected\n", 2, NULL},
    {"&& echo a", "sh: syntax: a command was expected\n", 2, NULL},
    {"; echo a", "sh: syntax: a command was expected\n", 2, NULL},
    {"echo a; ; echo b", "sh: syntax: a command was expected\n", 2, NULL},
    {"echo a > ; echo b", "sh: syntax: a redirection to nowhere\n", 2, NULL},
    {"()", "sh: syntax: a command was expected\n", 2, NULL},
    {"( # nothing\n)", "sh: syntax: a command was expected\n", 2, NULL},
    {"echo " WORDS_125 "x", WORDS_125 "x\n", 0, NULL},
    {"echo " WORDS_125 WORDS_125, "sh: syntax: too many words in a command\n", 2, NULL},
    {FIVE("(((((((") "true", "sh: syntax: too many ( inside each other\n", 2, NULL},
    {FIVE("true | true | true | true | true | true | true | ") "true",
     "sh: syntax: too many stages\n", 2, NULL},
    // texts from elsewhere
    {NULL, "a\n1\n", 0, "echo a\nfalse\necho $?\n"},
    {NULL, "rest of the input\n", 0, "cat\nrest of the input\n"},
    {NULL, "", 3, "exit 3\necho no\n"},
    {NULL, "sh: syntax: a quote is not closed\nb\n", 0, "echo 'a\necho b\n"},
    {NULL, "sh: syntax: a ) was not expected\nb\n", 0, ")\necho b\n"},
    {NULL, "3\n", 0, "(exit 3) &\ntrue\ntrue\nsleep 0\nwait $!; echo $?\n"},
    {NULL, "no new line at the end\n", 0, "echo no new line at the end"},
    {"sh /etc/nosuch", "sh: /etc/nosuch: no such file or directory\n", 127, NULL},
    {"sh /bin", "sh: /bin: is a directory\n", 127, NULL},
    {"sh -c", "sh: usage: sh [-c TEXT | FILE]\n", 2, NULL},
    {"sh /tests/example.sh", "a script\n1 2 3\nin the end 4\n", 4, NULL},
    // hostile texts
    {"sh /bin/sh > /dev/null 2>&1; sh < /bin/ls > /dev/null 2>&1; echo alive", "alive\n", 0, NULL},
    {"sh /dev/zero", "sh: /dev/zero: too long\n", 126, NULL},
    {"a='" BYTES_1000 "'; (" FIVE(FIVE("echo -n $a$a$a; ")) "echo; echo echo b) | sh",
     "sh: input: a line is too long\nb\n", 0, NULL},
    {"a='" BYTES_1000 "'; " FIVE("a=$a$a; "), "sh: syntax: too much text in a command\n", 2, NULL},
    {"sh -c 'echo a; sh -c \"echo b; sh -c \\\"echo c\\\"\"'", "a\nb\nc\n", 0, NULL},
};

// Texts put together at random: whatever they mean, the shell ends with a status of its own.
static void random_texts_end_with_a_status(void) {
    static const char *const pieces[] = {
        "true", "false ", "echo a", "(", ")", " && ", " || ", " | ", " & ", ";", "\n", "'", "\"",
        "$", "${", "$x", "$?", "$!", " < ", " > ", " 2>&1 ", "/dev/null", "#", "\\", "x=1 ", "}",
        "cd /bin ", "wait ", "exit ", " nosuch ", "unset x ", "\x01\xff", ">&2 ", "(true)", " ",
    };
    static char text[256];
    const struct script one = {text, "", 0, NULL};
    current = &one;
    srand(1);
    for (int round = 0; round < 150; round++) {
        text[0] = 0;
        for (int i = rand() % 12; i >= 0; i--) {
            strcat(text, pieces[rand() % COUNT(pieces)]);
        }
        int status = start_script();
        if ((status & 0xff) != 0 || status > EXITED(127)) {
            checks_failed++;
            ktap_comment("%s: status 0x%x", text, (unsigned)status);
        }
    }
}

int main(int argc, char **argv) {
    const struct test more = TEST(random_texts_end_with_a_status);
    return run_scripts(scripts, COUNT(scripts), &more, argc > 1 ? atoi(argv[1]) : -1);
}
