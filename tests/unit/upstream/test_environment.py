"""What a child process starts with."""

from __future__ import annotations

import pytest

from gateway.errors import UpstreamUnreachable
from gateway.upstream.environment import child_environment, program_path


def test_only_listed_variables_are_inherited_and_the_operator_s_win():
    inherited = {
        "PATH": "/bin",
        "HOME": "/root",
        "LC_ALL": "C",
        "LD_PRELOAD": "/evil.so",
        "DYLD_INSERT_LIBRARIES": "x",
        "NODE_OPTIONS": "--require evil",
        "PYTHONPATH": "/evil",
        "ORDERS_TOKEN": "s3cret",
        "SHELL": "() { :; }; evil",
    }
    env = child_environment(inherited, {"HOME": "/srv", "PYTHONPATH": "./lib"})
    assert env == {"PATH": "/bin", "HOME": "/srv", "LC_ALL": "C", "PYTHONPATH": "./lib"}


def test_a_program_is_named_by_its_absolute_path(tmp_path, monkeypatch):
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(UpstreamUnreachable, match="not executable"):
        program_path(str(program), party="upstream 'x'")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program_path("server", party="upstream 'x'") == str(program)
    monkeypatch.chdir(tmp_path)
    assert program_path("./server", party="upstream 'x'") == str(program)
