"""Models on the Hugging Face hub: what names one, and a file of one. The libraries honour HF_HUB_OFFLINE."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import UserError


def is_hub_id(model: str) -> bool:
    """Whether this is `owner/name` on the hub rather than a folder."""
    return model.count("/") == 1 and not model.startswith((".", "/", "~")) and not Path(model).parent.exists()


def hub_file(model: str, name: str) -> Path | None:
    """The file of a hub id, in the cache; None where the repository is known to lack it.

    Raises:
        UserError: the hub doesn't know the repository, or can't be asked and the cache doesn't tell.
    """
    from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(model, name))
    except LocalEntryNotFoundError:
        if try_to_load_from_cache(model, name) is _CACHED_NO_EXIST:
            return None
        held = try_to_load_from_cache(model, "config.json")
        mend = f"give its folder, {Path(held).parent}" if isinstance(held, str) else "download it and give its folder"
        raise UserError(
            f"{model}: the hub can't be reached and {name} is not in the cache, so it isn't known whether the model "
            f"has one: {mend}"
        ) from None
    except EntryNotFoundError:
        return None
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise UserError(f"{model}: {str(error).strip().splitlines()[0]}") from error
