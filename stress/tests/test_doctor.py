# SPDX-License-Identifier: MIT
"""The doctor tells what is missing, and the line that mends it."""
import shutil

import pytest

import doctor


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A PATH with all of the tools; a test removes one or breaks it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in doctor.TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_all_is_there_and_boots(tools, capsys):
    assert doctor.main() == 0
    text = capsys.readouterr().out
    assert "mend" not in text and "smoke boot               ok" in text
    assert "QEMU emulator version" in text and "riscv64-unknown-elf-gcc (" in text


@pytest.mark.parametrize("tool, broken", [*((tool, False) for tool in doctor.TOOLS), ("make", True)])
def test_missing_or_broken_tool(tools, capsys, tool, broken):
    (tools / tool).unlink()
    if broken:
        (tools / tool).symlink_to("/bin/false")
    assert doctor.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "mend it: apt-get install " + doctor.TOOLS[tool]
    assert [line.split()[0] for line in lines if line.endswith(" missing")] == [tool]


def test_every_package_of_the_makefile_is_looked_for(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(doctor, "installed", lambda package: asked.append(package) or "installed")
    assert doctor.missing_packages() == [] and asked == []  # each has something that is run or looked at
    assert {"spin", "libc6-dev", "make"} <= set(doctor.listed_packages())
    monkeypatch.setattr(doctor, "listed_packages", lambda: ["make", "new-tool"])
    monkeypatch.setattr(doctor, "installed", lambda package: None)
    assert doctor.missing_packages() == ["new-tool"]


def test_no_kernel_yet(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.qemu, "ROOT", tmp_path)
    assert doctor.main() == 1
    assert capsys.readouterr().out.endswith("mend it: make\n")


def test_kernel_that_does_not_boot(fake, capsys):
    fake("say('OpenSBI\\n'); sys.exit(1)")
    assert doctor.main() == 1
    text = capsys.readouterr().out
    assert "OpenSBI" in text and "failed" in text and "mend it: make clean" in text
