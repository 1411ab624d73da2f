"""The values for Airflow's Helm chart: what would break in a cluster without a word before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pkgutil import resolve_name
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf

from quickstart.environment import PROJECT
from reclustering.__main__ import main

VALUES: dict[str, Any] = yaml.safe_load((PROJECT / "helm" / "values.yaml").read_text())
DOCS = (PROJECT / "docs" / "kubernetes.md").read_text()
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]

COMPONENTS = {
    "airflow-api-server": "apiServer",
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dagProcessor",
    "airflow-triggerer": "triggerer",
}
"""The services of Airflow, and what the chart calls them."""

BY_THE_CHART = {
    # from the secrets whose names the values have
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    # from `executor`, which leaves Celery's without a meaning
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    # its own defaults; its probes ask in another way
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
}


def bucket_connection() -> str:
    """The variable with the connection that the artifacts' URL names."""
    artifacts = next(
        one["value"] for one in VALUES["env"] if one["name"] == "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS"
    )
    return f"AIRFLOW_CONN_{urlsplit(artifacts).username}".upper()


def secrets_of_the_docs() -> dict[str, set[str]]:
    """The secrets that docs/kubernetes.md creates, and their keys."""
    commands = re.findall(
        r"^kubectl create secret generic (\S+) (.*?)(?=^kubectl|^```)",
        DOCS,
        re.MULTILINE | re.DOTALL,
    )
    keys = re.compile(r"(?:^|--from-literal=)(\w[\w-]*)=", re.MULTILINE)
    return {name: set(keys.findall(rest)) for name, rest in commands}


def secret_of_all() -> str:
    """The secret that is the environment of every component."""
    (one,) = yaml.safe_load(VALUES["extraEnvFrom"])
    return str(one["secretRef"]["name"])


def references() -> Iterator[tuple[str, str]]:
    """Each secret and key that the values, or the chart for them, read."""
    for setting, key in (
        ("fernetKeySecretName", "fernet-key"),
        ("apiSecretKeySecretName", "api-secret-key"),
        ("jwtSecretName", "jwt-secret"),
    ):
        yield VALUES[setting], key
    yield VALUES["data"]["metadataSecretName"], "connection"
    for component in COMPONENTS.values():
        for one in VALUES.get(component, {}).get("env", ()):
            if "valueFrom" in one:
                secret = one["valueFrom"]["secretKeyRef"]
                yield secret["name"], secret["key"]


def test_the_secrets_that_are_created_are_those_that_are_read() -> None:
    created = secrets_of_the_docs()
    of_all = created[secret_of_all()]
    assert of_all == {"AIRFLOW_CONN_SMTP_DEFAULT", bucket_connection()}
    read = set(references()) | {(secret_of_all(), key) for key in of_all}
    assert read == {(name, key) for name, keys in created.items() for key in keys}


@pytest.mark.parametrize("service", COMPONENTS)
def test_a_component_has_the_environment_that_it_has_in_compose(service: str) -> None:
    environment = {one["name"] for one in VALUES["env"]}
    environment |= secrets_of_the_docs()[secret_of_all()]
    environment |= {one["name"] for one in VALUES.get(COMPONENTS[service], {}).get("env", ())}
    config = {
        f"AIRFLOW__{section}__{key}".upper()
        for section, options in VALUES["config"].items()
        for key in options
    }
    in_compose = COMPOSE[service]["environment"].keys()
    assert in_compose - BY_THE_CHART <= environment | config
    # So a name with a slip is noticed, and so is a component that knows the warehouse for nothing.
    assert environment - in_compose == {"PGSSLMODE", bucket_connection()}


def test_airflow_knows_the_options_and_has_what_they_name() -> None:
    # The chart's schema takes any name here.
    for section, options in VALUES["config"].items():
        assert options.keys() <= conf.configuration_description[section]["options"].keys()
    for name in ("auth_manager", "hostname_callable"):
        assert callable(resolve_name(VALUES["config"]["core"][name]))
    logging = VALUES["config"]["logging"]
    assert f"AIRFLOW_CONN_{logging['remote_log_conn_id']}".upper() == bucket_connection()
    # Anything else needs packages of the image, and moves what the commands of the docs rely on.
    assert VALUES["executor"] == "LocalExecutor"
    assert VALUES["workers"]["celery"]["persistence"]["enabled"] is False


def test_the_image_is_the_dockerfiles_and_nothing_hides_its_code() -> None:
    assert f"FROM apache/airflow:slim-{VALUES['airflowVersion']}-python" in DOCKERFILE
    repository, tag = VALUES["images"]["airflow"].values()
    assert DOCS.count(f"{repository}:{tag}") == 2
    # The chart's defaults: /opt/airflow, and `dags` in it.
    assert "COPY dags /opt/airflow/dags" in DOCKERFILE
    assert "ENV PYTHONPATH=/opt/airflow/plugins" in DOCKERFILE
    assert "airflowHome" not in VALUES
    assert VALUES["dags"] == {"persistence": {"enabled": False}, "gitSync": {"enabled": False}}


def test_the_api_server_gets_its_password_file_as_in_compose() -> None:
    service = COMPOSE["airflow-api-server"]
    assert VALUES["apiServer"]["args"] == [
        argument.replace("$$", "$") for argument in service["command"]
    ]
    for one in VALUES["apiServer"]["env"]:
        assert "value" not in one or one["value"] == service["environment"][one["name"]]


def test_the_commands_of_the_docs_exist(capsys: pytest.CaptureFixture[str]) -> None:
    (version,) = set(re.findall(r"--version (\S+)", DOCS))
    assert f"chart, {version}." in (PROJECT / "helm" / "values.yaml").read_text()
    in_the_pod = (
        "kubectl exec deploy/{}-scheduler -c scheduler -- python -m reclustering ledger doubt"
    )
    assert in_the_pod.format("<release>") in (PROJECT / "docs" / "operations.md").read_text()
    (release,) = set(re.findall(r"helm upgrade --install (\S+)", DOCS))
    assert in_the_pod.format(release) in DOCS
    commands = re.findall(r"python -m reclustering (\S+)", DOCS)
    assert {"migrate", "ledger", "take-back", "erase"} <= {one.strip("'") for one in commands}
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            main([command.strip("'"), "--help"])
        assert stop.value.code == 0
    for command in re.findall(r"-- \\\n  airflow (.+)", DOCS):
        get_parser().parse_args(command.replace("'", "").split())
    capsys.readouterr()
