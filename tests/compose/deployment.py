"""What the rules know of the deployment: the compose file, the image's recipe and what goes into it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from quickstart.environment import PROJECT

VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")
"""An interpolation; `$$` is a dollar sign that the container's shell gets."""

Service = dict[str, Any]
Document = dict[str, Any]


@dataclass
class Deployment:
    """The deployment as it is written; a test may change any part of it."""

    document: Document
    dockerfile: str
    dockerignore: str
    constraints: str
    settings: dict[str, str]

    @property
    def services(self) -> dict[str, Service]:
        return self.document["services"]

    @property
    def built(self) -> dict[str, Service]:
        """The services that run this project's image."""
        return {name: service for name, service in self.services.items() if "build" in service}

    @property
    def airflow(self) -> dict[str, Service]:
        """The services that are Airflow."""
        return {
            name: service
            for name, service in self.built.items()
            if service["command"][0] != "python"
        }

    @property
    def environments(self) -> Iterator[tuple[str, str, str]]:
        """Service, name and value of each environment variable."""
        for service_name, service in self.services.items():
            for name, value in service.get("environment", {}).items():
                yield service_name, name, str(value)

    @property
    def copies(self) -> Iterator[tuple[list[str], str]]:
        """Sources and target of each COPY of the Dockerfile."""
        for line in re.findall(r"^COPY (.*)$", self.dockerfile, re.MULTILINE):
            *sources, target = line.split()
            yield sources, target

    def resolved(self, value: str) -> str:
        """Give a value as the container gets it."""
        return VARIABLE.sub(lambda found: self.settings.get(found["name"], ""), value).replace(
            "$$", "$"
        )


def read_deployment(settings: dict[str, str]) -> Deployment:
    return Deployment(
        document=yaml.safe_load((PROJECT / "docker-compose.yaml").read_text()),
        dockerfile=(PROJECT / "Dockerfile").read_text(),
        dockerignore=(PROJECT / ".dockerignore").read_text(),
        constraints=(PROJECT / "constraints.txt").read_text(),
        settings=settings,
    )


def texts(node: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from texts(child)
    elif isinstance(node, str):
        yield node


def is_ignored(path: str, dockerignore: str) -> bool:
    """Tell whether a path stays out of the build: the last pattern that matches decides."""
    ignored = False
    parents = [*reversed(Path(path).parents), Path(path)][1:]
    for line in dockerignore.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        wanted = pattern.removeprefix("!")
        if any(_matches(parent, wanted) for parent in parents):
            ignored = not pattern.startswith("!")
    return ignored


def _matches(path: Path, pattern: str) -> bool:
    anywhere = pattern.removeprefix("**/")
    if anywhere != pattern:
        return fnmatch(path.name, anywhere)
    return len(path.parts) == len(Path(pattern).parts) and fnmatch(str(path), pattern)
