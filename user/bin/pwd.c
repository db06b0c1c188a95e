// SPDX-License-Identifier: MIT
// pwd - the folder that relative paths start from.
#include <tool.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char path[1024];
    (void)argv;
    if (argc > 1) { return tool_usage("pwd"); }
    return getcwd(path, sizeof(path)) ? puts(path) < 0 : tool_error("pwd", "getcwd");
}
