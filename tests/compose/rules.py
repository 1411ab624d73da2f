"""What must hold of the deployment. Each rule gives the faults that it finds."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.sdk import Connection
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.validators import validator_for

from quickstart.compose_env import BACKUPS
from quickstart.environment import PROJECT
from reclustering.core.errors import TerminalError
from reclustering.warehouse.mssql import connection_keywords
from tests.compose.deployment import VARIABLE, Deployment, is_ignored, texts

Rule = Callable[[Deployment], Iterator[str]]
RULES: list[Rule] = []

SA_PASSWORD = "MSSQL_SA_PASSWORD"
LOOPBACK = "127.0.0.1:"


def rule(check: Rule) -> Rule:
    RULES.append(check)
    return check


@rule
def follows_the_compose_specification(deployment: Deployment) -> Iterator[str]:
    schema = get_builtin_schema("vendor.compose-spec")
    for error in validator_for(schema)(schema).iter_errors(deployment.document):
        yield f"{error.json_path}: {error.message}"


@rule
def variables_have_a_value_or_say_how_to_get_one(deployment: Deployment) -> Iterator[str]:
    used = set()
    for text in texts(deployment.document):
        for found in VARIABLE.finditer(text.replace("$$", "")):
            used.add(found["name"])
            if found["rest"] != ":?run make env":
                yield f"{found[0]} does not say what to do when it has no value"
    yield from (f"make env does not write {name}" for name in used - deployment.settings.keys())
    yield from (f"nothing uses {name} of make env" for name in deployment.settings.keys() - used)


@rule
def secrets_are_not_written_here(deployment: Deployment) -> Iterator[str]:
    for service, name, value in deployment.environments:
        suspects = re.findall(r"://[^/@:]*:([^@]*)@", value)
        if re.search(r"PASSWORD$|SECRET|_KEY$|TOKEN", name):
            suspects.append(value)
        if not all(VARIABLE.fullmatch(suspect) for suspect in suspects):
            yield f"{service}: {name} holds a secret"


@rule
def only_the_initialiser_knows_sa(deployment: Deployment) -> Iterator[str]:
    for service, name, value in deployment.environments:
        if service in {"sqlserver", "warehouse-init"}:
            continue
        if SA_PASSWORD in name + value or re.search(r"://sa[:@]", value):
            yield f"{service}: {name} is sa's"


@rule
def only_this_machine_can_connect(deployment: Deployment) -> Iterator[str]:
    for name, service in deployment.services.items():
        for port in service.get("ports", ()):
            if not str(port).startswith(LOOPBACK):
                yield f"{name} publishes {port} beyond this machine"


@rule
def certificates_are_verified_but_for_the_containers_own(deployment: Deployment) -> Iterator[str]:
    for service, name, value in deployment.environments:
        parts = urlsplit(deployment.resolved(value))
        if "trust_server_certificate" in parts.query and parts.hostname != "sqlserver":
            yield f"{service}: {name} trusts any certificate of {parts.hostname}"


@rule
def airflow_knows_its_options(deployment: Deployment) -> Iterator[str]:
    for service, name, _ in deployment.environments:
        if option := re.fullmatch(r"AIRFLOW__(.+?)__(.+)", name):
            section, key = (part.lower() for part in option.groups())
            known = conf.configuration_description.get(section, {"options": {}})["options"]
            if key not in known:
                yield f"{service}: Airflow has no option [{section}] {key}"


@rule
def airflow_has_what_the_code_reads(deployment: Deployment) -> Iterator[str]:
    for service, definition in deployment.airflow.items():
        for variable in ("reclustering_artifacts", "target_list_recipients"):
            if f"AIRFLOW_VAR_{variable.upper()}" not in definition["environment"]:
                yield f"{service} lacks the Airflow Variable {variable}"
    tasks = deployment.services["airflow-scheduler"]["environment"]
    for connection in ("warehouse", "smtp_default"):
        if f"AIRFLOW_CONN_{connection.upper()}" not in tasks:
            yield f"tasks lack the connection {connection}"


@rule
def airflow_shares_its_keys(deployment: Deployment) -> Iterator[str]:
    everywhere = {"AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY"}
    tokens = {"AIRFLOW__API_AUTH__JWT_SECRET"}
    for service, definition in deployment.airflow.items():
        signs = service in {"airflow-api-server", "airflow-scheduler"}
        for name in everywhere | (tokens if signs else set()):
            if name not in definition["environment"]:
                yield f"{service} lacks {name}"


@rule
def the_warehouse_hook_takes_the_connection(deployment: Deployment) -> Iterator[str]:
    for service, name, value in deployment.environments:
        if name != "AIRFLOW_CONN_WAREHOUSE":
            continue
        try:
            connection_keywords(Connection.from_uri(deployment.resolved(value), "warehouse"))
        except TerminalError as error:
            yield f"{service}: {error}"


@rule
def addresses_name_services_and_their_ports(deployment: Deployment) -> Iterator[str]:
    ports = {
        "airflow-api-server": 8080,
        "mailpit": 1025,
        "postgres": 5432,
        "sqlserver": 1433,
        "localhost": int(deployment.settings["AIRFLOW_PORT"]),
    }
    for service, name, value in deployment.environments:
        parts = urlsplit(deployment.resolved(value))
        if parts.hostname and ports.get(parts.hostname) != parts.port:
            yield f"{service}: nobody listens at {parts.hostname}:{parts.port}, which {name} names"
        if parts.hostname and parts.hostname not in {"localhost", *deployment.services}:
            yield f"{service}: {name} names {parts.hostname}, which is no service"


@rule
def services_wait_for_what_can_be_waited_for(deployment: Deployment) -> Iterator[str]:
    for name, service in deployment.services.items():
        once = service.get("restart") == "no"
        if not once and service.get("restart") != "unless-stopped":
            yield f"{name} does not come back after a restart of the machine"
        if not once and "healthcheck" not in service:
            yield f"{name} has no health check"
        for other, how in service.get("depends_on", {}).items():
            target = deployment.services.get(other)
            if target is None:
                yield f"{name} waits for {other}, which is no service"
            elif how["condition"] == "service_completed_successfully":
                if target.get("restart") != "no":
                    yield f"{name} waits for the end of {other}, which never ends"
            elif how["condition"] != "service_healthy" or "healthcheck" not in target:
                yield f"{name} waits for {other}, whose health nobody checks"


@rule
def commands_exist(deployment: Deployment) -> Iterator[str]:
    for name, service in deployment.built.items():
        for command in _commands(service):
            if fault := _fault(command):
                yield f"{name}: {shlex.join(command)}: {fault}"


def _commands(service: dict[str, object]) -> Iterator[list[str]]:
    command = list(service["command"])
    if command[:2] == ["bash", "-c"]:
        yield command
        yield from (
            ["airflow", *shlex.split(line)]
            for line in re.findall(r"^exec airflow (.+)$", command[2], re.MULTILINE)
        )
    elif command[0] == "python":
        yield command
    else:
        # The image's entrypoint calls airflow with any other command.
        yield ["airflow", *command]
    test = service.get("healthcheck", {}).get("test", [])
    if test[1:2] == ["airflow"]:
        yield test[1:]


def _fault(command: list[str]) -> str | None:
    match command:
        case ["airflow", *arguments]:
            try:
                get_parser().parse_args(arguments)
            except SystemExit:
                return "Airflow has no such command"
        case ["python", "-m", module]:
            if find_spec(module) is None:
                return "there is no such module"
        case ["bash", "-c", script]:
            syntax = subprocess.run(
                ["bash", "-n"], input=script.replace("$$", "$").encode(), check=False
            )
            if syntax.returncode:
                return "bash cannot read it"
        case _:
            return "this test does not know the command"
    return None


@rule
def mounts_have_a_source(deployment: Deployment) -> Iterator[str]:
    declared = set(deployment.document["volumes"])
    used = set()
    for name, service in deployment.services.items():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if not source.startswith("."):
                used.add(source)
            # Compose gives a folder that it has to make to root; make env makes the backups'.
            elif source != f"./{BACKUPS}" and not (PROJECT / source).exists():
                yield f"{name} mounts {source}, which does not exist"
    yield from (f"the volume {volume} is not declared" for volume in used - declared)
    yield from (f"nothing mounts the volume {volume}" for volume in declared - used)


@rule
def the_backup_is_where_both_look(deployment: Deployment) -> Iterator[str]:
    mounts = [deployment.services[name]["volumes"] for name in ("sqlserver", "warehouse-init")]
    backup = deployment.services["warehouse-init"]["environment"]["BACKUP_FILE"]
    folder = backup.rpartition("/")[0]
    if any(f"./{BACKUPS}:{folder}:ro" not in mount for mount in mounts):
        yield f"{backup} is not in the mounted folder, for the initialiser and the server alike"


@rule
def airflow_can_write_to_its_volumes(deployment: Deployment) -> Iterator[str]:
    artifacts = urlsplit(
        deployment.services["airflow-scheduler"]["environment"][
            "AIRFLOW_VAR_RECLUSTERING_ARTIFACTS"
        ]
    ).path
    if f"mkdir --parents {artifacts}" not in deployment.dockerfile:
        yield f"the image has no folder {artifacts} whose owner a volume could take"
    if not re.search(r"^USER airflow$", deployment.dockerfile, re.MULTILINE):
        yield "the image runs as root"
    for name, service in deployment.airflow.items():
        if f"artifacts:{artifacts}" not in service["volumes"]:
            yield f"{name} has no volume at {artifacts}"


@rule
def the_image_is_the_airflow_that_is_tested(deployment: Deployment) -> Iterator[str]:
    image = re.search(
        r"^FROM apache/airflow:slim-([\d.]+)-python", deployment.dockerfile, re.MULTILINE
    )
    pinned = re.search(r"^apache-airflow==([\d.]+)$", deployment.constraints, re.MULTILINE)
    if not image or not pinned or image[1] != pinned[1]:
        yield f"the image is {image and image[0]}, constraints.txt has {pinned and pinned[0]}"


@rule
def images_are_pinned(deployment: Deployment) -> Iterator[str]:
    for name, service in deployment.services.items():
        if "build" not in service and not re.search(
            r":v?\d{4}-CU\d+|:v?\d+\.\d+", service["image"]
        ):
            yield f"{name}: {service['image']} means another image tomorrow"
    for extra in re.findall(r"-c constraints\.txt (.+) \\$", deployment.dockerfile, re.MULTILINE):
        for package in extra.split():
            if "==" not in package:
                yield f"the image takes any version of {package}"


@rule
def the_image_gets_its_code(deployment: Deployment) -> Iterator[str]:
    copied = {}
    for sources, target in deployment.copies:
        for source in sources:
            copied[source] = target
            if not (PROJECT / source).exists():
                yield f"the Dockerfile copies {source}, which does not exist"
            if is_ignored(source, deployment.dockerignore):
                yield f"the Dockerfile copies {source}, which .dockerignore keeps out"
    for folder in ("dags", "include", "plugins", "quickstart"):
        if copied.get(folder) != f"/opt/airflow/{folder}":
            yield f"{folder} is not beside the others in the image"


@rule
def the_image_gets_nothing_else(deployment: Deployment) -> Iterator[str]:
    private = (".env", ".git/config", f"{BACKUPS}/tpcxbb_1gb.bak", "var/outbox/1.eml", "tests/x.py")
    for path in (*private, "plugins/warehouse/__pycache__/mssql.pyc"):
        if not is_ignored(path, deployment.dockerignore):
            yield f"{path} would go to the builder"
