"""`make ui` says what is wrong before it announces anything, and when it goes wrong later."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from rich.console import Console

from quickstart import make_ui
from quickstart.mail_sink import free_port


def test_a_port_that_is_taken_is_named_before_anything_starts():
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"Port {port} cannot be had"):
            make_ui.require_free_port(port)
    make_ui.require_free_port(free_port())


def test_a_second_start_on_the_same_files_is_refused_with_the_process(tmp_path):
    script = f"""
        import pathlib, time
        from quickstart.make_ui import _alone_in
        with _alone_in(pathlib.Path({str(tmp_path)!r})):
            print("in", flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as first:
        assert first.stdout
        assert first.stdout.readline() == b"in\n"
        with (
            pytest.raises(RuntimeError, match=f"as process {first.pid}; expected one at a time"),
            make_ui._alone_in(tmp_path),
        ):
            pytest.fail("two at a time")
        first.kill()
        first.wait()
    with make_ui._alone_in(tmp_path):
        assert (tmp_path / "ui.lock").read_text() == str(os.getpid())


def test_a_component_that_dies_ends_it_with_an_error():
    parts = (
        "import subprocess, time; [subprocess.Popen(['sleep', '60']) for _ in '12']; time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parts]) as airflow:
        family = psutil.Process(airflow.pid)
        while len(family.children()) < 2:
            time.sleep(0.05)
        victim, survivor = family.children()
        victim.kill()
        with pytest.raises(RuntimeError, match=rf"ended by itself \(process {victim.pid}\)"):
            make_ui._watch(airflow, Console(file=io.StringIO()), embedded=False)
        survivor.kill()
        airflow.kill()
