"""See whether the tests of a room notice a wrong line in it: `make mutants`.

Small mistakes, drawn by a seed, are made one at a time in copies of the work tree, and the tests of
the room are run on each. The mistakes are cosmic-ray's; which and where is decided here.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Function
from parso.tree import NodeOrLeaf

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = "plugins/reclustering"
ROOMS = ("clustering", "labels", "target_list", "delivery")
"""Where a wrong line costs most: a wrong list, or one mailed twice."""

LOOKED_AT = {"plots.py"}
"""What a picture looks like is looked at, not tested."""

OPERATORS = re.compile(
    r"AddNot|NumberReplacer|Replace(True|False|And|Or|Break|Continue)With\w+"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Pow_Mul"
    r"|Bit(Or|Xor)_BitAnd|BitAnd_BitOr)"
    r"|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is|Lt_GtE?|Lt_LtE|LtE_Lt|LtE_GtE?"
    r"|GtE?_LtE?|Gt_GtE|GtE_Gt)"
    r"|ReplaceUnaryOperator_Delete_(Not|USub)"
)
ENDLESS = "no end"

TWO_SIDED = {"arith_expr", "term", "power", "expr", "and_expr", "xor_expr"}
"""cosmic-ray takes the marks of `def f(a, /, *, b)` and `{**a}` for operators, too."""


class Mutant(NamedTuple):
    """The change number `occurrence` that an operator of cosmic-ray can make in a file."""

    room: str
    file: str
    line: int
    operator: str
    occurrence: int

    def apply(self, source: str) -> str:
        """Give the source with the change."""
        return str(mutate_code(source, OperatorProvider()[self.operator](), self.occurrence))


def main() -> int:
    """Print the share of mutants that was noticed, and each that was not; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"--sample": 200, "--seed": 0, "--workers": 2}.items():
        parser.add_argument(name, type=int, default=default)
    given = parser.parse_args()
    rng, places = random.Random(given.seed), find_places()  # noqa: S311
    mutants = [rng.choice(place) for place in rng.sample(places, min(given.sample, len(places)))]
    print(f"{len(mutants)} mutants, {len(places)} places, seed {given.seed}", flush=True)
    sources = {one.file: (PROJECT / one.file).read_text("utf-8") for one in mutants}
    try:
        outcomes = try_all(mutants, given.workers)
    except AssertionError as error:
        print(error)
        return 1
    noticed = sum(map(bool, outcomes))
    print(f"\nNoticed {noticed} of {len(mutants)}, {outcomes.count(ENDLESS)} by not ending.")
    for mutant, outcome in sorted(zip(mutants, outcomes, strict=True)):
        if not outcome:
            before = sources[mutant.file]
            after = mutant.apply(before)
            lines = [*difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)]
            print(f"\n{mutant.file}:{mutant.line}  {mutant.operator}", *lines[3:], sep="\n")
    return 0


def try_all(mutants: list[Mutant], workers: int) -> list[str]:
    """Give for each mutant the first test that noticed it, "" where none did.

    Raises
    ------
    AssertionError
        When a room's tests fail on the unchanged code.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for worker in range(workers):
            tree = copy_tree(Path(folder, str(worker)))
            trees.put(tree)
        timeouts = {}
        for room in ROOMS:
            began = time.monotonic()
            if failed := run_tests(tree, room, timeout=None):
                raise AssertionError(f"{failed} fails on the unchanged code of {room}.")
            timeouts[room] = 60 + 5 * (time.monotonic() - began)

        def outcome_of(mutant: Mutant) -> str:
            tree = trees.get()
            path = tree / mutant.file
            source = path.read_text("utf-8")
            path.write_text(mutant.apply(source), "utf-8")
            outcome = run_tests(tree, mutant.room, timeouts[mutant.room], first=path.stem)
            path.write_text(source, "utf-8")
            trees.put(tree)
            print(f"{mutant.file}:{mutant.line}  {outcome or 'NOT NOTICED'}", flush=True)
            return outcome

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(outcome_of, mutants))


def find_places() -> list[list[Mutant]]:
    """Give what can be changed, place by place, so that every place has the same chance."""
    places: dict[tuple[object, ...], list[Mutant]] = {}
    for room in ROOMS:
        for path in sorted((PROJECT / PACKAGE / room).glob("*.py")):
            if path.name in LOOKED_AT:
                continue
            file, nodes = str(path.relative_to(PROJECT)), [*ast_nodes(get_ast(path.read_text()))]
            for name in filter(OPERATORS.fullmatch, OperatorProvider()):
                positions = OperatorProvider()[name]().mutation_positions
                found = ((node, start) for node in nodes for start, _ in positions(node))
                for occurrence, (node, start) in enumerate(found):
                    two_sided = "Binary" not in name or node.parent.type in TWO_SIDED
                    if two_sided and not _is_annotation(node):
                        place = places.setdefault((file, start, name.split("_")[0]), [])
                        place.append(Mutant(room, file, start[0], name, occurrence))
    return list(places.values())


def _is_annotation(node: NodeOrLeaf) -> bool:
    while (parent := node.parent) is not None:
        if parent.type in {"annassign", "tfpdef"} and node.get_previous_leaf() == ":":
            return True
        if isinstance(parent, Function) and node is parent.annotation:
            return True
        node = parent
    return False


def copy_tree(target: Path) -> Path:
    """Copy what git tracks or would track: nothing is ever changed in the work tree itself."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(command, cwd=PROJECT, text=True).split("\0"):  # noqa: S603
        if (PROJECT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, target / name)
    return target


def run_tests(tree: Path, room: str, timeout: float | None, first: str = "") -> str:
    """Run a room's tests, those of the file `first` before the others; give the first that failed."""
    log = tree.with_suffix(".log")
    # Without bytecode, or a mutant may run as the one before it, of the same second and size.
    environment = os.environ | {
        "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'plugins'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # No deadlines, and the same examples each time.
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=ci"]
    files = sorted(
        (tree / "tests" / room).glob("test_*.py"), key=lambda path: (first not in path.stem, path)
    )
    command = [sys.executable, "-m", "pytest", *options, *map(str, files)]
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=tree, env=environment, stdout=out, stderr=out, start_new_session=True
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return ENDLESS
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", log.read_text(errors="replace"), re.MULTILINE)
    return "" if code == 0 else failed[1] if failed else f"exit code {code}"


if __name__ == "__main__":
    sys.exit(main())
