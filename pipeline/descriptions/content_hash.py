"""What makes two description tables the same."""

import hashlib
import json
from collections.abc import Sequence

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.lint import Description

FILTER_VERSION = 1
"""Raise it when lint or filter decide otherwise about the same texts."""
HASH_CHARACTERS = 16


def hash_content(rows: Sequence[Description], settings: DescriptionSettings, model_identity: str) -> str:
    """16 hex characters that stand for the texts, what lint said, the settings that matter and the model.

    They are known before anything is embedded. Reasons found by embedding follow from what is hashed; hashing
    them too would let a cosine that rounds differently on another machine label a whole lake again.
    """
    content = {
        "filter": FILTER_VERSION,
        "model": model_identity,
        "settings": settings.model_dump(mode="json", exclude={"batch_size"}),
        "rows": [[row.class_name, row.position, row.text, row.drop_reason] for row in rows],
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
