"""Whether the Hugging Face hub has what a name stands for: asked once and quickly, before anything is started.

Its libraries ask for every file by itself, with retries: without a network that takes minutes.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Literal

from pipeline.errors import StartError, UserError
from pipeline.inputs import searched
from pipeline.terminal.speak import say

TIMEOUT_S = 5.0
_TO_BLAME = (400, 401, 403, 404)
"""Answers for which the question is to blame, not the hub."""


@cache
def ask_hub(name: str, kind: Literal["model", "dataset"] = "model") -> None:
    """Makes sure that a name which is no path here can be had from the hub or, for a model, from its cache.

    If the hub can't be reached and the cache has the model, this process and those that it starts don't ask it again.

    Raises:
        UserError: the hub has nothing of this name, or must not be asked and the cache lacks it.
        StartError: the hub does not answer, and the cache lacks it.
    """
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError

    held = kind == "model" and isinstance(try_to_load_from_cache(name, "config.json"), str)
    nowhere = f"{name}: no such folder{searched(name)}"
    if constants.HF_HUB_OFFLINE:
        if held:
            return
        raise UserError(
            f"{nowhere}, and as a {kind} of the hub it is not at hand: HF_HUB_OFFLINE forbids to ask: correct the name, "
            "download it and give its folder, or unset HF_HUB_OFFLINE"
        )
    api = HfApi()
    try:
        api.model_info(name, timeout=TIMEOUT_S) if kind == "model" else api.dataset_info(name, timeout=TIMEOUT_S)
    except HFValidationError as error:
        raise UserError(f"{name}: neither a folder nor a {kind} on the hub (owner/name): correct it") from error
    except (HTTPError, OSError) as error:
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
        if status in _TO_BLAME:
            raise UserError(
                f"{nowhere}, and the hub gives no {kind} of this name ({status}): correct the name; a {kind} that is not "
                "public needs `hf auth login`"
            ) from error
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if not held:
            raise StartError(f"{nowhere}, and the hub can't be asked for a {kind} of this name ({reason})") from error
        say(f"{name}: the hub can't be reached ({reason}): its cache is used")
        os.environ["HF_HUB_OFFLINE"] = "1"
        constants.HF_HUB_OFFLINE = True
