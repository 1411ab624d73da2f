"""The compose file and the image's recipe are consistent with the code and with each other."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from quickstart import compose_env
from tests.compose import rules
from tests.compose.deployment import Deployment, is_ignored, read_deployment


@pytest.fixture
def deployment() -> Deployment:
    return read_deployment(compose_env.settings())


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_deployment_keeps_the_rule(rule: rules.Rule, deployment: Deployment) -> None:
    assert list(rule(deployment)) == []


def _set(service: str, name: str, value: str) -> Callable[[Deployment], None]:
    """Change a variable of a service's environment."""

    def change(deployment: Deployment) -> None:
        deployment.services[service].setdefault("environment", {})[name] = value

    return change


def _put(service: str, key: str, value: object) -> Callable[[Deployment], None]:
    """Change a key of a service."""

    def change(deployment: Deployment) -> None:
        deployment.services[service][key] = value

    return change


def _drop(service: str, *keys: str) -> Callable[[Deployment], None]:
    """Remove a key of a service."""

    def change(deployment: Deployment) -> None:
        *parents, last = (service, *keys)
        node = deployment.services
        for parent in parents:
            node = node[parent]
        del node[last]

    return change


def _rewrite(part: str, old: str, new: str) -> Callable[[Deployment], None]:
    """Change a text file."""

    def change(deployment: Deployment) -> None:
        text = getattr(deployment, part)
        assert old in text
        setattr(deployment, part, text.replace(old, new))

    return change


TRUSTING = (
    "mssql://a:${WAREHOUSE_PASSWORD:?run make env}@db.example.com/x?trust_server_certificate=yes"
)
CONTAINER_SERVER = "mssql://a:${WAREHOUSE_PASSWORD:?run make env}@sqlserver:1433"

FAULTS = [
    (rules.follows_the_compose_specification, _put("postgres", "helthcheck", {})),
    (rules.follows_the_compose_specification, _put("mailpit", "restart", 3)),
    (
        rules.variables_have_a_value_or_say_how_to_get_one,
        _set("mailpit", "MP_LABEL", "${LABEL:?run make env}"),
    ),
    (rules.variables_have_a_value_or_say_how_to_get_one, _set("mailpit", "X", "${MAILPIT_PORT}")),
    (
        rules.variables_have_a_value_or_say_how_to_get_one,
        lambda deployment: deployment.settings.update(UNUSED="1"),
    ),
    (rules.secrets_are_not_written_here, _set("postgres", "POSTGRES_PASSWORD", "airflow")),
    (rules.secrets_are_not_written_here, _set("mailpit", "X", "smtp://me:hunter2@mailpit:1025")),
    (
        rules.only_the_initialiser_knows_sa,
        _set("airflow-scheduler", "X", "${MSSQL_SA_PASSWORD:?run make env}"),
    ),
    (rules.only_the_initialiser_knows_sa, _set("airflow-scheduler", "X", "mssql://sa:x@sqlserver")),
    (rules.only_this_machine_can_connect, _put("postgres", "ports", ["5432:5432"])),
    (
        rules.certificates_are_verified_but_for_the_containers_own,
        _set("airflow-scheduler", "AIRFLOW_CONN_WAREHOUSE", TRUSTING),
    ),
    (rules.airflow_knows_its_options, _set("airflow-scheduler", "AIRFLOW__CORE__FERNET", "x")),
    (rules.airflow_knows_its_options, _set("airflow-scheduler", "AIRFLOW__WEBSERVER__X", "x")),
    (
        rules.airflow_has_what_the_code_reads,
        _drop("airflow-triggerer", "environment", "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS"),
    ),
    (
        rules.airflow_has_what_the_code_reads,
        _drop("airflow-scheduler", "environment", "AIRFLOW_CONN_SMTP_DEFAULT"),
    ),
    (
        rules.airflow_shares_its_keys,
        _drop("airflow-scheduler", "environment", "AIRFLOW__API_AUTH__JWT_SECRET"),
    ),
    (
        rules.the_warehouse_hook_takes_the_connection,
        _set("warehouse-init", "AIRFLOW_CONN_WAREHOUSE", f"{CONTAINER_SERVER}/x?charset=utf8"),
    ),
    (
        rules.the_warehouse_hook_takes_the_connection,
        _set("warehouse-init", "AIRFLOW_CONN_WAREHOUSE", CONTAINER_SERVER),
    ),
    (rules.addresses_name_services_and_their_ports, _set("mailpit", "X", "http://nobody:8080")),
    (rules.addresses_name_services_and_their_ports, _set("mailpit", "X", "smtp://mailpit:25")),
    (rules.services_wait_for_what_can_be_waited_for, _drop("postgres", "healthcheck")),
    (rules.services_wait_for_what_can_be_waited_for, _drop("mailpit", "restart")),
    (
        rules.services_wait_for_what_can_be_waited_for,
        _put("airflow-init", "restart", "unless-stopped"),
    ),
    (
        rules.services_wait_for_what_can_be_waited_for,
        _put("mailpit", "depends_on", {"redis": {"condition": "service_healthy"}}),
    ),
    (rules.commands_exist, _put("airflow-init", "command", ["db", "upgrade-all"])),
    (rules.commands_exist, _put("airflow-init", "command", ["python", "-m", "quickstart.gone"])),
    (rules.commands_exist, _put("airflow-api-server", "command", ["bash", "-c", "if true"])),
    (
        rules.commands_exist,
        _put("airflow-api-server", "command", ["bash", "-c", "exec airflow webserver"]),
    ),
    (
        rules.commands_exist,
        _put("airflow-triggerer", "healthcheck", {"test": ["CMD", "airflow", "jobs", "well"]}),
    ),
    (rules.mounts_have_a_source, _put("mailpit", "volumes", ["./nowhere:/data"])),
    (rules.mounts_have_a_source, _put("mailpit", "volumes", ["post:/data"])),
    (
        rules.the_backup_is_where_both_look,
        _set("warehouse-init", "BACKUP_FILE", "/backup/tpcxbb_1gb.bak"),
    ),
    (rules.airflow_can_write_to_its_volumes, _rewrite("dockerfile", "mkdir --parents", "ls")),
    (rules.airflow_can_write_to_its_volumes, _rewrite("dockerfile", "USER airflow", "USER root")),
    (rules.the_image_is_the_airflow_that_is_tested, _rewrite("dockerfile", "slim-3", "slim-2")),
    (
        rules.the_image_is_the_airflow_that_is_tested,
        _rewrite("constraints", "apache-airflow==3", "apache-airflow==2"),
    ),
    (rules.images_are_pinned, _put("postgres", "image", "postgres")),
    (
        rules.images_are_pinned,
        _put("sqlserver", "image", "mcr.microsoft.com/mssql/server:2022-latest"),
    ),
    (rules.images_are_pinned, _rewrite("dockerfile", "asyncpg==", "asyncpg>=")),
    (rules.the_image_gets_its_code, _rewrite("dockerfile", "COPY plugins", "COPY plugin")),
    (rules.the_image_gets_its_code, _rewrite("dockerignore", "!include", "")),
    (rules.the_image_gets_nothing_else, _rewrite("dockerignore", "*\n!c", "!c")),
    (rules.the_image_gets_nothing_else, _rewrite("dockerignore", "**/__pycache__", "")),
]


@pytest.mark.parametrize(
    ("rule", "spoil"), FAULTS, ids=[f"{rule.__name__}-{n}" for n, (rule, _) in enumerate(FAULTS)]
)
def test_the_rule_finds_the_fault(
    rule: rules.Rule, spoil: Callable[[Deployment], None], deployment: Deployment
) -> None:
    spoil(deployment)
    assert list(rule(deployment))


def test_each_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _ in FAULTS} == set(rules.RULES)


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("a/b.py", True),
        ("kept", False),
        ("kept/b.py", False),
        ("kept/x/b.pyc", True),
        ("unkept", True),
        ("other/kept", True),
    ],
)
def test_dockerignore_is_read_as_the_builder_reads_it(path: str, *, ignored: bool) -> None:
    assert is_ignored(path, "# comment\n*\n!kept\n**/*.pyc\n") is ignored


def test_the_api_server_gets_a_password_file_that_airflow_can_read(
    deployment: Deployment, tmp_path, monkeypatch
) -> None:
    import json
    import subprocess

    service = deployment.services["airflow-api-server"]
    environment = {
        name: deployment.resolved(value) for name, value in service["environment"].items()
    }
    file = tmp_path / "passwords.json"
    file_variable = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
    script = re.sub("exec airflow.*", "", deployment.resolved(service["command"][2]))
    subprocess.run(["bash", "-c", script], env=environment | {file_variable: str(file)}, check=True)
    user = environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(":")[0]
    assert json.loads(file.read_text()) == {user: deployment.settings["AIRFLOW_ADMIN_PASSWORD"]}
    assert file.stat().st_mode & 0o777 == 0o600
