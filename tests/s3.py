"""A local S3 server for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def local_s3(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The endpoint of a server that holds the bucket `corpus`; `patch` gets the credentials."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        endpoint = "{}:{}".format(*server.get_host_and_port())
        boto3.client("s3", endpoint_url=f"http://{endpoint}").create_bucket(Bucket="corpus")
        yield endpoint
    finally:
        server.stop()
