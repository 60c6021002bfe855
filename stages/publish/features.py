"""What `datasets` reads of a published file beside its columns: which of them are images."""

from __future__ import annotations

import functools
import json
from typing import Any

import pyarrow as pa

IMAGES = "images"
_NUMBERS = {pa.float64(): "float64"}
"""Where Arrow has another name for it."""


@functools.cache
def with_features(schema: pa.Schema) -> pa.Schema:
    """The schema with the metadata by which `datasets` decodes the column `images` without a cast.

    The metadata are written here, not by `datasets`: to import it takes a second of CPU time, and to ask it for each row
    group a tenth of what publishing takes.
    """
    features = {field.name: _feature(field.type) for field in schema}
    features[IMAGES] = {"feature": {"_type": "Image"}, "_type": "List"}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _feature(type: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(type):
        return {"feature": _feature(type.value_type), "_type": "List"}
    if pa.types.is_struct(type):
        return {field.name: _feature(field.type) for field in type}
    return {"dtype": _NUMBERS.get(type, str(type)), "_type": "Value"}
