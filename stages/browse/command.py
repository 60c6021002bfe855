"""Pages to look at data: `browse`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.arguments import new_command


def add(commands: Any) -> None:
    browse = new_command(
        commands,
        "browse",
        "show datasets, runs, pools, benches and scores in a browser, or write some problems to one page",
        "docs/browsing.md",
        ["data/demo runs/demo", "data/demo --export page.html --filter worth=few-successes --most 10"],
    )
    browse.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="published datasets, runs (their draws show in the datasets given with them), pools of candidates, benches, "
        "trainings, and files of critics' scores",
    )
    takes_address(browse)
    browse.add_argument("--export", metavar="PAGE.html", help="write one file that needs no server, and end")
    browse.add_argument(
        "--id", action="append", default=[], help="a problem to export, by the beginning of its id; can be repeated"
    )
    browse.add_argument(
        "--filter",
        default="",
        metavar="LINK",
        help="export what a link shows: the part behind `?`, such as worth=few-successes",
    )
    browse.add_argument("--most", type=int, default=20, metavar="N", help="problems to export (20, at most 100)")
    browse.add_argument("--note", default="", help="a line about licence or purpose, for the exported page")
    browse.set_defaults(command=_browse, goes_on=True)


def takes_address(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--host", default="127.0.0.1", help="where to listen (127.0.0.1); whoever reaches it needs the link"
    )
    command.add_argument("--port", type=int, help="the port (the first free one from 8642 on)")


def _browse(options: argparse.Namespace) -> None:
    from pipeline.terminal.speak import say, tell
    from stages.browse.places import find, open_all

    given = find(options.paths)
    opened = open_all(given, say)
    if options.export:
        from stages.browse.export import export

        say(
            export(
                opened[0] if opened else None, options.export, options.id, options.filter, options.most, options.note
            )
        )
        return
    from stages.browse.app import create_app
    from stages.browse.serving import serve

    serve(create_app(given, opened), options.host, options.port, tell)
