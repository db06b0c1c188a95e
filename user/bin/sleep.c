// SPDX-License-Identifier: MIT
// sleep seconds - do nothing for so long.
#include <limits.h>
#include <tool.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long seconds;
    if (argc != 2 || !tool_number(argv[1], 0, &seconds) || seconds > UINT_MAX) {
        return tool_usage("sleep SECONDS");
    }
    return sleep((unsigned)seconds) != 0;
}
