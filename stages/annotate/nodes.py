"""What a cluster's nodes must have for a run, asked of them before an engine starts, and of those that join later.

Draws and verdicts follow from the versions of a few packages; problems and ledger are files that all nodes must see; and the
policy must be there, or be sent.
"""

from __future__ import annotations

import os
import platform
import posixpath
import re
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from pipeline.cluster.nodes import Node, living, on_nodes, reserve, works
from pipeline.cluster.places import amounts
from pipeline.config import RunConfig
from pipeline.engine.parcel import Parcel, packed, parcel_of
from pipeline.errors import StartError, UserError
from pipeline.stopping.interrupt import watched
from pipeline.store import Store
from pipeline.terminal.speak import say
from pipeline.version import made_for_gpus, versions
from stages.verify.version import libraries

FOLDER = "nodes"
"""Of the run directory: what the driver and the nodes write there for each other."""
LOOK_S = 5.0
"""Between two looks for nodes that have joined."""
DRAWING = ("vllm", "torch", "transformers")
"""Packages that draws depend on, beside the model."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a machine says of itself."""

    python: str
    packages: Mapping[str, str | None]
    """The versions of those that draws or verdicts depend on; null for what is not installed."""
    made_for_gpus: bool
    """Whether its vLLM draws on GPUs alone."""
    device: str
    """The kind of its GPUs, or of its CPU."""
    directory: str | None = None
    """Why the run directory is not the driver's; null where it is."""
    wrote: str | None = None
    """The file that it wrote there."""
    has_model: bool = True
    """Whether the policy lies at the driver's path, going by names and sizes; also where it is no folder."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a node must have. It goes to the nodes, and to the engines there."""

    directory: str
    """The run directory, as `Store` takes it."""
    word: str
    """What the driver has written there."""
    packages: Mapping[str, str | None]
    """Versions: the driver's, and where it has none itself, a node's."""
    parcel: Parcel | None
    """The policy, where it is a local folder."""
    folder: str = FOLDER
    """Of the run directory: where the driver and the nodes write for each other."""


def facts_of(wanted: Wanted) -> Facts:
    """Of the machine that this runs on. It writes into the run directory, for the driver to read."""
    why, wrote = _exchanged(wanted)
    return Facts(
        platform.python_version(),
        {**versions(), **libraries()},
        made_for_gpus(),
        _device(),
        why,
        wrote,
        wanted.parcel is None or wanted.parcel.lies_here(),
    )


def complaint(facts: Facts, wanted: Wanted) -> str | None:
    """Why a machine can't take part, with the mend; None where it can. Pure."""
    if facts.directory is not None:
        return f"{facts.directory}: give a run_dir that all nodes see, on a shared disk or at an s3:// address"
    for name, version in wanted.packages.items():
        held = facts.packages.get(name)
        if version is not None and _release(held) != _release(version):
            return f"it has {name} {held or 'not at all'}, and the run {version}: install {version} there"
    parcel = wanted.parcel
    if parcel is not None and not facts.has_model and not parcel.pieces:
        return (
            f"it lacks the model {parcel.folder} ({parcel.bytes / 1e9:.1f} GB): copy it there, or give "
            "engine.ship_model=true to have it sent"
        )
    return None


def _release(version: str | None) -> str | None:
    """Without what names a build of the same release, such as `+cpu`."""
    return version and version.partition("+")[0]


class Nodes:
    """The nodes of the cluster as a run knows them."""

    def __init__(self, store: Store, config: RunConfig, folder: str = FOLDER) -> None:
        """Asks every node that may be given work, and puts the model where they can have it.

        Args:
            folder: of the run directory, for what is written meanwhile; `FOLDER` is for whoever holds the run's lock.
        """
        self._store, self._address = store, config.ray.address
        self._looks = threading.Lock()
        self._left_out: list[Node] = []
        word = uuid.uuid4().hex
        store.clear(folder)
        store.write_text(posixpath.join(folder, "driver"), word)
        parcel = parcel_of(config.engine)
        names = (*(DRAWING if config.engine.kind == "vllm" else ()), *libraries())
        here = {**versions(), **libraries()}
        self.wanted = Wanted(
            store.uri if not store.local else store.root,
            word,
            {name: here[name] for name in names},
            packed(parcel, config.engine.ship_model) if parcel else None,
            folder,
        )
        self.known = {node: facts for node, facts in self._ask(_working()).items() if facts is not None}
        for facts in self.known.values():
            # What the driver lacks, the first node that has it decides.
            agreed = {name: version or facts.packages.get(name) for name, version in self.wanted.packages.items()}
            self.wanted = replace(self.wanted, packages=agreed)

    def complaints(self) -> dict[Node, str | None]:
        """Of each node why it can't take part; None where it can."""
        return {node: complaint(facts, self.wanted) for node, facts in self.known.items()}

    def refuse(self) -> None:
        """
        Raises:
            UserError: a node does not have what it must; names all of these.
        """
        if told := [f"node {node.name}: {why}" for node, why in self.complaints().items() if why is not None]:
            raise UserError(f"ray.address={self._address}: {'; '.join(told)}")

    @property
    def made_for_gpus(self) -> bool:
        """Whether engines need GPUs, though none may be there yet."""
        return any(facts.made_for_gpus for facts in self.known.values())

    def summary(self) -> str:
        """`3 nodes with 96 CPUs, 16 GPUs (free: 90 CPUs, 16 GPUs)`."""
        import ray

        count = len(self.known)
        free = amounts(ray.available_resources())
        return f"{count} node{'s' * (count != 1)} with {amounts(ray.cluster_resources())} (free: {free})"

    def _ask(self, nodes: Sequence[Node]) -> dict[Node, Facts | None]:
        answers = dict(zip(nodes, on_nodes([node.id for node in nodes], facts_of, self.wanted), strict=True))
        for node, facts in answers.items():
            if facts is None:
                say(f"node {node.name} does not answer")
            elif facts.wrote and not self._store.exists(self.wanted.folder, facts.wrote):
                why = f"what it writes in {self.wanted.directory} does not come to the driver"
                answers[node] = replace(facts, directory=why)
        return answers

    @contextmanager
    def newcomers_checked(self) -> Iterator[None]:
        """Asks nodes that join while the body runs. One that lacks something is given no work, and a line says what.

        Raises:
            StartError: Ray, which gives tasks to a node as soon as it has joined, had given it one before, and that failed.
        """
        import ray

        with watched(lambda _: self._look_if_it_can(), LOOK_S, "nodes"):
            try:
                yield
            except (ray.exceptions.RayError, OSError) as error:
                self._look_if_it_can()
                said = "".join(traceback.format_exception(error))
                if (node := next((each for each in self._left_out if f"ip={each.ip})" in said), None)) is None:
                    raise
                raise StartError(
                    f"ray.address={self._address}: a task failed on node {node.name} before it was left out: "
                    "mend the node, or take it out of the cluster"
                ) from error

    def look(self) -> None:
        """Asks the nodes that are not known yet, and leaves out those that lack something."""
        with self._looks:
            unfit = []
            for node, facts in self._ask([node for node in _working() if node not in self.known]).items():
                if facts is None:
                    continue
                self.known[node] = facts
                if (why := complaint(facts, self.wanted)) is None:
                    say(f"node {node.name} has joined ({facts.device})")
                else:
                    unfit.append(node)
                    say(f"node {node.name} has joined, and is left out: {why}")
            reserve(unfit)
            self._left_out += unfit

    def _look_if_it_can(self) -> bool:
        try:
            self.look()
        except Exception as error:
            # What does not answer now may do so at the next look.
            say(f"nodes that join can't be asked for now: {' '.join(str(error).split())[:200]}")
        return False


def engine_may_start_here(wanted: Wanted) -> None:
    """For a node that joined a moment ago, and that waiting engines went to at once.

    Where it does not have what it must, this process ends: Ray starts it again, elsewhere once the node is left out.
    """
    if (why := complaint(facts_of(wanted), wanted)) is not None:
        _leave(f"no engine starts on {socket.gethostname()}: {why}")


def _leave(why: str) -> NoReturn:
    say(why)
    time.sleep(2 * LOOK_S)
    os._exit(1)


def _working() -> list[Node]:
    return [node for node in living() if works(node)]


def _exchanged(wanted: Wanted) -> tuple[str | None, str | None]:
    """Why this machine does not share the run directory, or else the name of the file that it wrote there."""
    try:
        store = Store(wanted.directory)
        if not store.exists(wanted.folder, "driver") or store.read_text(wanted.folder, "driver") != wanted.word:
            return f"it does not see what the driver writes in {wanted.directory}", None
        name = uuid.uuid4().hex
        store.write_text(posixpath.join(wanted.folder, name), wanted.word)
    except (OSError, UserError) as error:
        return f"it can't use {wanted.directory} ({' '.join(str(error).split())[:200]})", None
    return None, name


def _device() -> str:
    """`2 x NVIDIA H100 80GB HBM3`, or the name of the CPU."""
    gpus = [_after(r"Model:\s*(.+)", path) for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))]
    if gpus:
        return ", ".join(f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus))
    return _after(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo"))


def _after(pattern: str, path: Path) -> str:
    try:
        found = re.search(pattern, path.read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found[1].strip() if found else "unknown"
