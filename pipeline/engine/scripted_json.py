"""A JSON text that fits a schema and follows from a seed alone: what the scripted engine answers where JSON is asked for."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any


def json_text(schema: Mapping[str, Any], seed: int) -> str:
    """Of a schema of objects, arrays, strings with a bound and enumerations."""
    return json.dumps(_value(schema, random.Random(seed)))


def _value(schema: Mapping[str, Any], rng: random.Random) -> Any:
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if schema["type"] == "object":
        return {name: _value(each, rng) for name, each in schema["properties"].items()}
    if schema["type"] == "array":
        return [_value(schema["items"], rng) for _ in range(rng.randint(schema["minItems"], schema["maxItems"]))]
    return "".join(rng.choices("abcde ", k=rng.randint(0, schema["maxLength"])))
