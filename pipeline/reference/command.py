"""What a config can say: `settings`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.arguments import new_command


def add(commands: Any) -> None:
    settings = new_command(
        commands,
        "settings",
        "tell what every key of a config means, with its type and default",
        "docs/settings.md",
        ["", "rollout", "sources.0.verify"],
    )
    settings.add_argument(
        "key", nargs="?", metavar="KEY", help="a key, its beginning or its end: engine, sources.0.verify, batch_size"
    )
    settings.add_argument("--markdown", action="store_true", help="write all of them as docs/settings.md has them")
    settings.set_defaults(command=_settings)


def _settings(options: argparse.Namespace) -> None:
    from pipeline.errors import UserError
    from pipeline.reference.settings import settings_markdown, settings_text

    if options.markdown and options.key is not None:
        raise UserError("settings: --markdown writes all keys: leave out the key")
    print(settings_markdown() if options.markdown else settings_text(options.key), end="" if options.markdown else "\n")
