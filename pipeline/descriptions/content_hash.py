"""The hash by which two description tables are the same."""

import hashlib
import json
from collections.abc import Sequence

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.lint import Description

FILTER_VERSION = 1
"""Increase it when lint or filter decide differently about the same texts."""
HASH_CHARACTERS = 16


def hash_content(rows: Sequence[Description], settings: DescriptionSettings, model_identity: str) -> str:
    """16 hex characters, equal for equal texts, lint results, settings and model; known before anything is embedded.

    Drop reasons that come from embeddings are not hashed: they follow from the rest, and a cosine that rounds
    differently on another machine would make every image of a lake pending.
    """
    content = {
        "filter": FILTER_VERSION,
        "model": model_identity,
        "settings": settings.model_dump(mode="json", exclude={"batch_size"}),
        "rows": [[row.class_name, row.position, row.text, row.drop_reason] for row in rows],
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
