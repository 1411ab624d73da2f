"""`make env`: the passwords and settings of docker-compose.yaml, in a `.env` file of one's own."""

from __future__ import annotations

import base64
import os
import secrets
import string
import sys
from pathlib import Path

from quickstart.environment import PROJECT

BACKUPS = "data"
"""The folder, beside `.env`, where a backup of the tutorial's database may be put."""

_LETTERS = (string.ascii_lowercase, string.ascii_uppercase, string.digits)


def main() -> int:
    """Write `.env`; give the exit code."""
    path = PROJECT / ".env"
    try:
        write(path)
    except FileExistsError:
        print(
            f"{path.name} is there already and stays as it is: the databases of the running "
            "deployment know its passwords. To start afresh, empty them with "
            "`docker compose down --volumes` and delete it.",
            file=sys.stderr,
        )
        return 1
    print(f"Wrote {path.name}, readable by you alone. Next: docker compose up --build --detach")
    return 0


def write(path: Path) -> None:
    """Write settings to a new file that its owner alone can read, and make the folder of backups.

    Raises
    ------
    FileExistsError
        When the file exists. It is left as it is.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in settings().items())
    # Were it missing, the engine would make it, owned by root.
    (path.parent / BACKUPS).mkdir(exist_ok=True)


def settings() -> dict[str, str]:
    """Give a value for every variable of docker-compose.yaml; secrets are new each time."""
    return {
        # Here and not as the file's `name`, which Compose before 2.0 does not know.
        "COMPOSE_PROJECT_NAME": "customer-reclustering",
        # CeleryExecutor and celery: tasks run on workers, and not in the scheduler's container.
        "EXECUTOR": "LocalExecutor",
        "COMPOSE_PROFILES": "",
        "AIRFLOW_PORT": "8080",
        "MAILPIT_PORT": "8025",
        "MSSQL_PORT": "1433",
        "SCHEDULE": "0 4 * * *",
        "DEADLINE": "0 7 * * *",
        "TIME_ZONE": "UTC",
        "MAIL_SERVER": "smtp://mailpit:1025/?disable_ssl=true&disable_tls=true"
        "&from_email=store%40example.com&timeout=30",
        "TARGET_LIST_RECIPIENTS": "marketing@example.com",
        "ALERT_RECIPIENTS": "operator@example.com",
        "AIRFLOW_ADMIN_PASSWORD": password(),
        "AIRFLOW_API_SECRET_KEY": secrets.token_urlsafe(48),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW_JWT_SECRET": secrets.token_urlsafe(64),
        "MSSQL_SA_PASSWORD": password(),
        "POSTGRES_PASSWORD": password(),
        "REDIS_PASSWORD": password(),
        "WAREHOUSE_PASSWORD": password(),
    }


def password() -> str:
    """Make up a password of letters and digits.

    It has one of each kind, as SQL Server demands, and nothing that a URI, a shell or a `.env` file
    reads as a sign of its own.
    """
    while True:
        text = "".join(secrets.choice("".join(_LETTERS)) for _ in range(24))
        if all(set(text) & set(kind) for kind in _LETTERS):
            return text


if __name__ == "__main__":
    sys.exit(main())
