"""The door of a Ray cluster: who answers there, and with which token, before Ray tries for minutes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

ANSWER_S = 8.0
"""Seconds that a head has to answer."""
_ASKED = "/ray.rpc.NodeInfoGcsService/GetClusterId"
"""What Ray's own drivers ask first, too."""
_MODE, _TOKEN, _TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def join(address: str, options: dict[str, Any]) -> None:
    """`ray.init` on the cluster at `address` (`auto`, or `HOST:PORT` of its head), with the token that lies at hand.

    Raises:
        UserError: no head answers there, it takes another token, or runs another version of Ray or Python.
    """
    import ray

    if "://" in address:
        scheme = address.partition("://")[0]
        raise UserError(
            f"ray.address={address}: {scheme}:// is not supported: run the command on a machine of the cluster with the "
            "head's own address, HOST:6379, or submit it with `ray job submit`"
        )
    try:
        knock(address, _head(address))
        ray.init(address=address, **options)
    except ConnectionError as error:
        raise UserError(
            f"ray.address={address}: no Ray cluster is there: start one with `ray start --head`, correct the address, "
            "or leave it out to use this machine alone"
        ) from error
    except RuntimeError as error:
        if (text := " ".join(str(error).split())).startswith("Version mismatch"):
            raise UserError(
                f"ray.address={address}: {text}: install the cluster's versions here, or this one's there"
            ) from error
        raise


def knock(address: str, head: str) -> None:
    """Finds out whether the head wants a token, and sets Ray's mode in this process so that it is shown.

    Args:
        address: as the user wrote it, for the error.
        head: HOST:PORT.

    Raises:
        ConnectionError: nobody answers there as Ray does.
        UserError: the token is missing, or is refused.
    """
    if _answers(head, None):
        return
    if os.environ.get(_MODE, "token").lower() != "token":
        raise UserError(
            f"ray.address={address}: the cluster wants a token, but {_MODE} is {os.environ[_MODE]} here: unset it"
        )
    token, origin = _token()
    if token is None:
        raise UserError(
            f"ray.address={address}: the cluster wants a token, and none is here: copy ~/.ray/auth_token from its head, "
            f"or set {_TOKEN_PATH}"
        )
    if not _answers(head, token):
        raise UserError(
            f"ray.address={address}: the cluster refuses the token of {origin}: copy ~/.ray/auth_token from its head"
        )
    _show_token()


def _head(address: str) -> str:
    """HOST:PORT of the cluster's head.

    Raises:
        ConnectionError: `auto`, and no cluster runs on this machine, or several do.
        UserError: the address is not one.
    """
    from ray._private.services import canonicalize_bootstrap_address_or_die

    try:
        return str(canonicalize_bootstrap_address_or_die(address))
    except ValueError as error:
        raise UserError(f"ray.address={address}: must be auto, or HOST:PORT of the cluster's head") from error


def head_answers(head: str) -> bool:
    """Whether a head that we have joined still answers, whatever it says."""
    try:
        _answers(head, _token()[0])
    except ConnectionError:
        return False
    return True


def _answers(head: str, token: str | None) -> bool:
    """Whether the head answers who shows this token; False if it wants another.

    Raises:
        ConnectionError: nobody answers there as Ray does.
    """
    import grpc

    shown = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(head, options=[("grpc.enable_http_proxy", 0)]) as channel:
        ask = channel.unary_unary(_ASKED, request_serializer=None, response_deserializer=None)
        try:
            ask(b"", metadata=shown, timeout=ANSWER_S)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                return False
            raise ConnectionError(f"{head}: {error.details()}") from error
    return True


def _token() -> tuple[str | None, str]:
    """The token that Ray would take, and where it lies; the order is Ray's."""
    if text := os.environ.get(_TOKEN, "").strip():
        return text, _TOKEN
    named = os.environ.get(_TOKEN_PATH)
    origin = f"{_TOKEN_PATH} ({named})" if named else "~/.ray/auth_token"
    try:
        path = Path(named) if named else Path.home() / ".ray/auth_token"
        return path.read_text(encoding="utf-8").strip() or None, origin
    except (OSError, RuntimeError, UnicodeDecodeError):
        return None, origin


def _show_token() -> None:
    """Without a mode, Ray takes part in no cluster that wants a token, though it has one."""
    from ray._raylet import Config  # type: ignore[attr-defined]  # its stub leaves it out

    os.environ[_MODE] = "token"
    # Ray has read its settings when it was imported.
    Config.initialize("")
