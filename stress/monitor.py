# SPDX-License-Identifier: MIT
"""monitor.py - QEMU's monitor (QMP) over a socket pair: nothing in the file system, nothing to clean.

QEMU inherits one end; the other one answers nothing but errors when QEMU is gone or mute.
"""
import json
import socket

TIMEOUT = 10.0


class Monitor:
    machine = ""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(TIMEOUT)
        self.stream = None

    def options(self):
        return ["-chardev", f"socket,id=qmp,fd={self.theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]

    def started(self):
        """QEMU has its end: drop ours, so that its death is an end of file."""
        self.theirs.close()

    def command(self, text):
        """A command of the human monitor; its output, or why there is none."""
        try:
            if not self.stream:
                self.stream = self.ours.makefile("rw")
                self._read()  # the greeting
                self._ask({"execute": "qmp_capabilities"})
            answer = self._ask({"execute": "human-monitor-command", "arguments": {"command-line": text}})
            return str(answer.get("return", answer)).replace("\r", "")
        except (OSError, ValueError) as error:
            return f"monitor: {error or type(error).__name__}"

    def _ask(self, request):
        self.stream.write(json.dumps(request) + "\n")
        self.stream.flush()
        answer = self._read()
        while "event" in answer:
            answer = self._read()
        return answer

    def _read(self):
        line = self.stream.readline()
        if not line:
            raise OSError("QEMU has closed it")
        return json.loads(line)

    def close(self):
        for end in (self.stream, self.ours, self.theirs):
            try:
                if end:
                    end.close()
            except OSError:
                pass  # unsent text for a dead QEMU
