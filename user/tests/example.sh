# A script for shell.c and a text for tools.c.
echo a script

(echo 1; echo 2
 echo 3) | (
    sort -n > /dev/null; echo 1 2 3)  # the lines themselves go nowhere

false && echo not this ||
    status=4 nosuch 2> /dev/null || echo 'in the end' 4
status=4
exit $status
