"""One object on S3, read and put under conditions.

By botocore: the S3 of pyarrow, which all else here uses, has no conditions. It finds credentials and region as pyarrow does
(environment, shared files, roles).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pyarrow import fs

from pipeline.errors import UserError
from pipeline.s3 import ANSWER_S, TRIES


class UnconditionalError(Exception):
    """The store knows no conditional put, or heeds no condition."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object as it was read."""

    text: str
    tag: str
    age_s: float
    """Seconds since it was written, by the store's clock; 0 where the store tells no time."""


@dataclass(frozen=True, slots=True)
class S3Object:
    """A place, and how to reach it. It can be pickled."""

    uri: str
    """Of the run, for messages."""
    bucket: str
    key: str
    region: str
    endpoint: str | None
    credentials: tuple[str, str] | None
    virtual: bool

    @staticmethod
    def at(uri: str, filesystem: fs.S3FileSystem, path: str) -> S3Object:
        """The object `path` (bucket and key) of the store that a pyarrow address names."""
        parts = urlsplit(uri)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        host = options.get("endpoint_override")
        bucket, _, key = path.partition("/")
        return S3Object(
            uri,
            bucket,
            key,
            filesystem.region,
            f"{options.get('scheme', 'https')}://{host}" if host else None,
            (unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
            options.get("force_virtual_addressing", "false").lower() in ("1", "true") if host else True,
        )

    def get(self) -> Found | None:
        """
        Raises:
            UserError: the store refuses or doesn't answer.
        """
        with self._errors():
            answer = _client(self).get_object(Bucket=self.bucket, Key=self.key)
            text = answer["Body"].read().decode(errors="replace")
            now = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            age = (parsedate_to_datetime(now) - answer["LastModified"]).total_seconds() if now else 0.0
            return Found(text, answer["ETag"], age)
        return None

    def put(self, text: str, replaces: str | None) -> str | None:
        """Puts it where no object is, or in place of the one with the tag `replaces`; its tag, or None if that is not so.

        Raises:
            UserError: the store refuses or doesn't answer.
            UnconditionalError: the store knows no conditional put.
        """
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        with self._errors():
            answer = _client(self).put_object(Bucket=self.bucket, Key=self.key, Body=text.encode(), **condition)
            return str(answer["ETag"])
        return None

    def delete(self) -> None:
        """
        Raises:
            UserError: the store refuses or doesn't answer.
        """
        with self._errors():
            _client(self).delete_object(Bucket=self.bucket, Key=self.key)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Ends the body quietly where an object is not there, or not the one that was expected."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            # Conflict: another put for the same key is under way.
            if code in ("NoSuchKey", "PreconditionFailed", "ConditionalRequestConflict", "404", "412"):
                return
            if code in ("NotImplemented", "501"):
                raise UnconditionalError from error
            raise UserError(f"{self.uri}: the object store refused: {' '.join(str(error).split())[:300]}") from error
        except BotoCoreError as error:
            raise UserError(
                f"{self.uri}: the object store does not answer: {' '.join(str(error).split())[:300]}"
            ) from error


@functools.lru_cache(maxsize=8)
def _client(place: S3Object) -> Any:
    import botocore.session
    from botocore.config import Config

    key, secret = place.credentials or (None, None)
    return botocore.session.get_session().create_client(
        "s3",
        region_name=place.region,
        endpoint_url=place.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(
            connect_timeout=ANSWER_S,
            read_timeout=ANSWER_S,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            s3={"addressing_style": "auto" if place.virtual else "path"},
            # Stores other than AWS's may not know the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
