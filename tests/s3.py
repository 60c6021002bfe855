"""A local S3 server for tests."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.waiting import wait_until


@contextmanager
def local_s3(patch: pytest.MonkeyPatch, here: bool = False) -> Iterator[str]:
    """The endpoint of a server that holds the bucket `corpus`.

    Args:
        patch: gets the credentials.
        here: in this process, for a test that changes what the server does. Then vLLM can't start in this process any more: it
            looks at all that modules hold, and does not bear Flask's, which the server is made with.
    """
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with _thread() if here else _process() as endpoint:
        boto3.client("s3", endpoint_url=f"http://{endpoint}").create_bucket(Bucket="corpus")
        yield endpoint


@contextmanager
def _thread() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        yield "{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@contextmanager
def _process() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert server.poll() is None, "the server ended"
        with socket.socket() as other:
            return other.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
