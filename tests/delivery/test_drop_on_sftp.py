"""The list in a folder of an SFTP server, as many audience tools have one."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import asyncssh
import pytest

from reclustering.mail import SmtpMailer
from tests.world import MARKETING, people, read_json

pytestmark = pytest.mark.usefixtures("airflow_database")


class Everybody(asyncssh.SSHServer):
    """Lets in whoever has the password."""

    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == ("store", "secret")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An SFTP server on this machine, which the connection `tool` leads to; its folder."""
    folder = tmp_path / "sftp"
    folder.mkdir()
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def start():
        return await asyncssh.create_server(
            Everybody,
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder)),
        )

    listening = asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=30)
    connection = {
        "conn_type": "sftp",
        "host": "127.0.0.1",
        "port": listening.get_port(),
        "login": "store",
        "password": "secret",
        "extra": {"no_host_key_check": "true"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_TOOL", json.dumps(connection))
    yield folder
    loop.call_soon_threadsafe(listening.close)
    loop.call_soon_threadsafe(loop.stop)


def test_the_list_lies_there_whole_and_once(world, script, server):
    from reclustering.orchestration.folders import folder_of

    run = world.publish(people(3))
    world.build(run)
    folder = folder_of("sftp://tool@127.0.0.1/lists", "target_list_drop")
    for _ in range(2):
        world.email(run, SmtpMailer(), drop=folder)
    name = f"target_list_0_{read_json(run, 'target_list.json')['sha256'][:12]}"
    left = sorted(Path(server, "lists", "as_of=2024-01-01").iterdir())
    assert [path.name for path in left] == [f"{name}.csv", f"{name}.manifest.json"]
    assert left[0].read_bytes() == run.path("target_list.csv").read_bytes()
    assert json.loads(left[1].read_text())["customers"] == 3
    assert len(script.inbox(MARKETING)) == 1
