"""Opens a port for the pages and answers until it is stopped."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from pipeline.errors import UserError
from stages.browse.security import LOCAL, Guard, new_token

FIRST_PORT = 8642
_TRIED = 50


def serve(app: Any, host: str, port: int | None, tell: Callable[[str], None], path: str = "/") -> None:
    """Tells the link, which holds the token, and serves.

    Args:
        port: the first free one from `FIRST_PORT` on where none is given; 0 lets the system choose.

    Raises:
        UserError: the port is taken or not allowed, or the host is not this machine's.
    """
    import uvicorn

    with listening(host, port) as opened:
        at = opened.getsockname()[1]
        token = new_token()
        name = f"[{host}]" if ":" in host else host
        guarded = Guard(app, token, at, {*LOCAL, name.lower()})
        mark = "&" if "?" in path else "?"
        tell(f"http://{name}:{at}{path}{mark}token={token}")
        config = uvicorn.Config(guarded, log_level="warning", lifespan="off", server_header=False)
        uvicorn.Server(config).run(sockets=[opened])


@contextlib.contextmanager
def listening(host: str, port: int | None) -> Any:
    """A socket that listens there.

    Raises:
        UserError: as `serve`.
    """
    ports = range(FIRST_PORT, FIRST_PORT + _TRIED) if port is None else [port]
    if port is not None and not 0 <= port < 1 << 16:
        raise UserError(f"--port {port}: must be from 0 to 65535")
    refusal = ""
    for tried in ports:
        opened: socket.socket | None = None
        try:
            family, kind, *_, address = socket.getaddrinfo(
                host, tried, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            opened = socket.socket(family, kind)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen(128)
        except OSError as error:
            if opened is not None:
                opened.close()
            refusal = f"--host {host} --port {tried}: {error.strerror}: choose another port or host"
            continue
        with opened:
            yield opened
        return
    raise UserError(refusal)
