"""The metadata of published files are those that `datasets` would write."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline.schemas import IMPORTED_SCHEMA, PUBLISHED_SCHEMA
from stages.publish.features import with_features


@pytest.mark.parametrize("schema", [PUBLISHED_SCHEMA, IMPORTED_SCHEMA], ids=["published", "imported"])
def test_the_schema_is_the_records_schema_with_what_datasets_would_add(schema: pa.Schema) -> None:
    from datasets import Features, Image, List

    features = Features.from_arrow_schema(schema)
    features["images"] = List(Image())
    found = with_features(schema)
    assert found.remove_metadata() == schema
    assert found.metadata == features.arrow_schema.metadata
