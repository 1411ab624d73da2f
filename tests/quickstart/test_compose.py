"""The deployment as Docker Compose reads it, and what it cannot know: that it fits the code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.sdk import Connection, CronTriggerTimetable

from quickstart import compose_env
from quickstart.environment import PROJECT
from reclustering.warehouse.mssql import connection_keywords


def find_compose() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            version = subprocess.run([*command, "version"], capture_output=True, check=False)
            if version.returncode == 0:
                return command
    return None


COMPOSE = find_compose()
SETTINGS = compose_env.settings() | {"EXECUTOR": "CeleryExecutor", "COMPOSE_PROFILES": "celery"}
DOCKERFILE = (PROJECT / "Dockerfile").read_text()

pytestmark = pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")


def config(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Let Compose read the file in a folder of its own, which needs no engine."""
    shutil.copy(PROJECT / "docker-compose.yaml", folder)
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return subprocess.run(
        [*(COMPOSE or []), "config"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory) -> dict[str, Any]:
    """The services with every value in its place."""
    read = config(tmp_path_factory.mktemp("compose"), SETTINGS)
    assert read.returncode == 0, read.stderr
    return yaml.safe_load(read.stdout)["services"]


def environments(services: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Service, name and value of each environment variable."""
    return [
        (service, name, str(value))
        for service, definition in services.items()
        for name, value in definition.get("environment", {}).items()
    ]


@pytest.mark.parametrize(
    "missing", sorted(SETTINGS.keys() - {"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"})
)
def test_a_setting_that_is_missing_says_how_to_get_it(tmp_path, missing):
    settings = {name: value for name, value in SETTINGS.items() if name != missing}
    read = config(tmp_path, settings)
    assert read.returncode != 0
    assert "run make env" in read.stderr


def test_the_hook_takes_the_warehouse_and_every_address_is_a_services(services):
    ports = {"postgres": 5432, "sqlserver": 1433, "mailpit": 1025, "redis": 6379}
    ports["airflow-api-server"] = 8080
    ports["localhost"] = int(SETTINGS["AIRFLOW_PORT"])
    seen = set()
    for service, name, value in environments(services):
        if name == "AIRFLOW_CONN_WAREHOUSE":
            connection_keywords(Connection.from_uri(value, "warehouse"))
        if host := urlsplit(value).hostname:
            assert (name, urlsplit(value).port) == (name, ports[host]), service
            seen.add(host)
    assert seen == ports.keys()


@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        # What an alert needs: whichever component sends it.
        ("AIRFLOW_CONN_SMTP_DEFAULT", "MAIL_SERVER"),
        ("AIRFLOW_VAR_ALERT_RECIPIENTS", "ALERT_RECIPIENTS"),
        # What whatever reads a DAG file must agree on.
        ("RECLUSTERING_SCHEDULE", "SCHEDULE"),
        ("RECLUSTERING_DEADLINE", "DEADLINE"),
        ("AIRFLOW__CORE__DEFAULT_TIMEZONE", "TIME_ZONE"),
    ],
)
def test_every_component_of_airflow_has_the_settings_as_they_are_written(
    services, variable, setting
):
    components = [name for name in services if name.startswith("airflow-")]
    assert len(components) >= 5
    for name in components:
        assert services[name]["environment"][variable] == SETTINGS[setting], name


def test_without_the_profile_there_are_no_workers_and_the_scheduler_runs_the_tasks(tmp_path):
    read = config(tmp_path, compose_env.settings())
    services = yaml.safe_load(read.stdout)["services"]
    # Compose 1 names them all the same, with their profile.
    for name in ("redis", "airflow-worker"):
        assert services.get(name, {"profiles": ["celery"]})["profiles"] == ["celery"]
    executor = services["airflow-scheduler"]["environment"]["AIRFLOW__CORE__EXECUTOR"]
    assert executor == "LocalExecutor"


def test_only_what_runs_tasks_knows_the_warehouse(services):
    knowing = {
        service for service, name, _ in environments(services) if name == "AIRFLOW_CONN_WAREHOUSE"
    }
    assert knowing == {"airflow-scheduler", "airflow-worker", "warehouse-init"}


def test_airflow_takes_the_schedules_and_the_dag_files_ask_for_them(services):
    environment = services["airflow-dag-processor"]["environment"]
    sources = "".join(path.read_text() for path in (PROJECT / "dags").glob("*.py"))
    for name in ("RECLUSTERING_SCHEDULE", "RECLUSTERING_DEADLINE"):
        CronTriggerTimetable(
            environment[name], timezone=environment["AIRFLOW__CORE__DEFAULT_TIMEZONE"]
        )
        assert f'os.environ.get("{name}")' in sources


def test_airflow_knows_its_options_and_commands(services):
    for service, name, _ in environments(services):
        if option := re.fullmatch(r"AIRFLOW__(.+?)__(.+)", name):
            section, key = (part.lower() for part in option.groups())
            assert key in conf.configuration_description[section]["options"], service
    commands = [
        definition.get("command", []) for name, definition in services.items() if name != "redis"
    ]
    commands += [definition["healthcheck"]["test"][2:] for definition in services.values()
                 if definition.get("healthcheck", {}).get("test", [])[1:2] == ["airflow"]]  # fmt: skip
    for command in filter(None, commands):
        if command[0] == "python":
            assert find_spec(command[2])
        elif command[0] == "bash":
            assert command[2].rstrip().endswith("exec airflow api-server")
        else:
            get_parser().parse_args(command)


def test_only_this_machine_can_connect_and_only_two_know_sa(services):
    published = [port for one in services.values() for port in one.get("ports", ())]
    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published)
    knowing = {
        service
        for service, _, value in environments(services)
        if SETTINGS["MSSQL_SA_PASSWORD"] in value
    }
    assert knowing == {"sqlserver", "warehouse-init"}


def test_the_image_is_the_airflow_that_is_tested_and_gets_the_code():
    constraints = (PROJECT / "constraints.txt").read_text()
    pinned = re.search(r"^apache-airflow==(.+)$", constraints, re.MULTILINE)
    assert pinned
    assert f"FROM apache/airflow:slim-{pinned[1]}-python" in DOCKERFILE
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (.*) /opt/airflow/", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (PROJECT / source).exists()
            assert f"!{source}" in ignored


def test_the_api_server_gets_a_password_file_that_airflow_can_read(services, tmp_path):
    service = services["airflow-api-server"]
    file = tmp_path / "passwords.json"
    where = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(file)}
    script = re.sub("exec airflow.*", "", service["command"][2].replace("$$", "$"))
    subprocess.run(["bash", "-c", script], env=service["environment"] | where, check=True)
    user = service["environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(":")[0]
    assert json.loads(file.read_text()) == {user: SETTINGS["AIRFLOW_ADMIN_PASSWORD"]}
    assert file.stat().st_mode & 0o777 == 0o600
