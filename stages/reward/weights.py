"""Loads a model's weights: all of them, or none. What a checkpoint lacks is never filled with random numbers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline import manifest
from pipeline.errors import UserError
from pipeline.model_files import model_file

_NAMED = 3
"""How many names of weights an error gives."""
_MEND = "copy, download or save the checkpoint again"


def load_weights(place: str, name: str, **settings: Any) -> Any:
    """A vision-language model of `transformers` with every weight from its checkpoint.

    Args:
        place: a folder or hub id.
        name: what errors call the model: what the user gave, perhaps behind the key where it stands.
        settings: for `from_pretrained`.

    Raises:
        UserError: it can't be loaded; or the checkpoint lacks weights, has others, or some of another shape.
    """
    from transformers import AutoModelForImageTextToText

    check_files(place, name)
    with loading_errors(name), _quiet():
        model, found = AutoModelForImageTextToText.from_pretrained(
            place, output_loading_info=True, ignore_mismatched_sizes=True, **settings
        )
    check_keys(name, found["missing_keys"], found["unexpected_keys"], (key for key, *_ in found["mismatched_keys"]))
    return model


def check_weights(place: str, name: str) -> None:
    """As `load_weights`, for a model that something else will load: on torch's device `meta`, without memory."""
    load_weights(place, name, device_map="meta")


def check_files(place: str, name: str) -> None:
    """Compares every byte of a model's folder with the manifest that `visualprm train` wrote there, where there is one.

    safetensors carry no checksum: a changed bit is another score.

    Raises:
        UserError: names the files that are not what was written.
    """
    if Path(place).is_dir() and (found := manifest.folder_faults(place)):
        raise UserError(
            f"{name}: {manifest.told(found)}: {_MEND}, or train again; if you changed it yourself, remove its manifest.json"
        )


def has_own_head(model: str) -> bool | None:
    """Whether a checkpoint holds weights of the language head beside its embeddings; None if it isn't safetensors.

    Args:
        model: a folder or hub id.
    """
    from safetensors import safe_open

    index = model_file(model, "model.safetensors.index.json")
    if index is not None:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    elif (weights := model_file(model, "model.safetensors")) is not None:
        with safe_open(weights, "pt") as opened:
            names = set(opened.keys())
    else:
        return None
    return any(name.endswith("lm_head.weight") for name in names)


def check_keys(name: str, missing: Iterable[str], unexpected: Iterable[str], mismatched: Iterable[str] = ()) -> None:
    """Refuses a checkpoint whose weights are not those of its model. Tied weights, stored once, are no gap.

    Raises:
        UserError: it names the first keys of each kind.
    """
    kinds = {"lacks": missing, "has no place for": unexpected, "has another shape for": mismatched}
    faults = [f"{what} {_first(keys)}" for what, given in kinds.items() if (keys := sorted(set(given)))]
    if faults:
        raise UserError(f"{name}: the weights are not those of the model in config.json: {'; '.join(faults)}: {_MEND}")


@contextlib.contextmanager
def loading_errors(name: str) -> Iterator[None]:
    """Turns what libraries raise for a model that they can't load into a UserError."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{name}: can't be loaded: {' '.join(str(error).split())[:300]}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own table of faulty weights, which our line stands for."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _first(keys: list[str]) -> str:
    more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more
