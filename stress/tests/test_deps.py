# SPDX-License-Identifier: MIT
"""`make deps` where packages are missing, by a dpkg-query and an apt-get that only pretend."""
import shutil
import subprocess

import pytest

import doctor

NEEDED = ("make", "sh", "grep", "tr", "echo", "find", "env", "nproc", "cat")
MISSING = "spin picolibc-riscv64-unknown-elf"


@pytest.fixture
def deps(tmp_path):
    """deps(user id, with apt-get): (exit status, output, what apt-get was told)."""
    folder, told = tmp_path / "bin", tmp_path / "told"

    def program(name, text):
        (folder / name).write_text("#!/bin/sh\n" + text)
        (folder / name).chmod(0o755)

    def start(user, apt=True, missing=MISSING):
        folder.mkdir()
        for name in NEEDED:
            (folder / name).symlink_to(shutil.which(name))
        program("dpkg-query", f'for p in {missing or "-"}; do [ "$4" = $p ] && exit 1; done\n'
                          "echo install ok installed\n")
        program("id", f"echo {user}\n")
        if apt:
            program("apt-get", f'echo "$@" >> {told}\n')
        run = subprocess.run([folder / "make", "-C", doctor.ROOT, "--no-print-directory", "deps"], text=True,
                             env={"PATH": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return run.returncode, run.stdout, told.read_text().splitlines() if told.exists() else []
    return start


def test_nothing_is_missing(deps):
    assert deps(0, missing="") == (0, "", [])


def test_root_installs_what_has_been_named(deps):
    status, text, told = deps(0)
    assert status == 0 and text.startswith("missing packages: ") and told[0] == "update -q"
    assert set(text.splitlines()[0].split()[2:]) == set(MISSING.split())
    assert told[1].startswith("install ") and set(told[1].split()[-2:]) == set(MISSING.split())


@pytest.mark.parametrize("user, apt, says", [(1000, True, "as root: apt-get install "), (0, False, "install these")])
def test_who_cannot_install_is_told_and_stops(deps, user, apt, says):
    status, text, told = deps(user, apt)
    assert status != 0 and says in text and told == [] and all(name in text for name in MISSING.split())
