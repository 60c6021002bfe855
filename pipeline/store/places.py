"""Where something lies: a path, or the address of an object store with options after `?`."""

from __future__ import annotations

import os

import pyarrow as pa
from pyarrow import fs

from pipeline.errors import UserError
from pipeline.s3 import bounded


def open_uri(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system and the path in it.

    Raises:
        UserError: no such scheme, or its options are wrong.
    """
    try:
        if "://" in uri:
            filesystem, path = fs.FileSystem.from_uri(uri)
            return bounded(filesystem), path.rstrip("/")
        return fs.LocalFileSystem(), os.path.abspath(uri)
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise UserError(f"{uri}: can't be opened: {error}") from error


def full(uri: str) -> str:
    """The place without regard to the working directory."""
    return uri if "://" in uri else os.path.abspath(uri)


def beside(uri: str, suffix: str) -> str:
    """The address `uri` with `suffix` at the end of its path. Options after `?` stay at the end."""
    place, options = split_options(uri)
    return place.rstrip("/") + suffix + options


def split_options(uri: str) -> tuple[str, str]:
    """The place and, with its `?`, what an address says of its store; in a path `?` is a letter."""
    place, mark, options = uri.partition("?") if "://" in uri else (uri, "", "")
    return place, mark + options
