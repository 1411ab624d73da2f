"""`make env` writes secrets of one's own, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from quickstart import compose_env


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    compose_env.write(tmp_path / ".env")
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").is_dir()


def test_every_line_is_a_setting(tmp_path: Path) -> None:
    compose_env.write(tmp_path / ".env")
    lines = (tmp_path / ".env").read_text().splitlines()
    assert [line.partition("=")[0] for line in lines] == list(compose_env.settings())
    # Compose takes quotes, `#` and `$` for its own.
    assert not any(set(line) & set("'\"#$\\") for line in lines)


def test_a_second_time_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compose_env, "PROJECT", tmp_path)
    assert compose_env.main() == 0
    before = (tmp_path / ".env").read_bytes()
    assert compose_env.main() == 1
    assert (tmp_path / ".env").read_bytes() == before
    captured = capsys.readouterr()
    assert "docker compose down --volumes" in captured.err
    assert not any(
        secret in captured.out for secret in before.decode().split("=") if len(secret) > 20
    )


def test_secrets_are_new_each_time() -> None:
    one, other = compose_env.settings(), compose_env.settings()
    settings = {name for name in one if one[name] == other[name]}
    assert settings == {
        "AIRFLOW_PORT",
        "ALERT_RECIPIENTS",
        "COMPOSE_PROFILES",
        "COMPOSE_PROJECT_NAME",
        "DEADLINE",
        "EXECUTOR",
        "MAIL_SERVER",
        "MAILPIT_PORT",
        "MSSQL_PORT",
        "SCHEDULE",
        "TARGET_LIST_RECIPIENTS",
        "TIME_ZONE",
    }


def test_airflow_takes_the_fernet_key() -> None:
    fernet = Fernet(compose_env.settings()["AIRFLOW_FERNET_KEY"])
    assert fernet.decrypt(fernet.encrypt(b"password")) == b"password"


def test_sql_server_takes_the_passwords() -> None:
    for _ in range(200):
        password = compose_env.password()
        assert password.isalnum()
        assert len(password) >= 20
        assert any(sign.isupper() for sign in password)
        assert any(sign.islower() for sign in password)
        assert any(sign.isdigit() for sign in password)


def test_git_ignores_what_it_makes() -> None:
    ignored = (compose_env.PROJECT / ".gitignore").read_text().splitlines()
    assert {".env", f"/{compose_env.BACKUPS}"} <= set(ignored)
