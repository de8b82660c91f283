"""The hash by which two description tables are the same."""

import hashlib
import json
from collections.abc import Sequence

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.lint import Description

FILTER_VERSION = 1
"""Increase it when lint or filter decide differently about the same texts."""
HASH_CHARACTERS = 16


DEFAULTS = DescriptionSettings()


def hash_content(rows: Sequence[Description], settings: DescriptionSettings, model_identity: str) -> str:
    """16 hex characters, equal for equal texts, lint results, settings that decide and model; known before embedding.

    Drop reasons that come from embeddings are not hashed: they follow from the rest, and a cosine that rounds
    differently on another machine would make every image of a lake pending.
    """
    return hash_with_all_settings(rows, _without_effectless(settings), model_identity)


def hash_with_all_settings(
    rows: Sequence[Description], settings: DescriptionSettings, model_identity: str
) -> str:
    """As hash_content, with the settings that decide nothing too, as versions until 0.1 named the same content."""
    content = {
        "filter": FILTER_VERSION,
        "model": model_identity,
        "settings": settings.model_dump(mode="json", exclude={"batch_size"}),
        "rows": [[row.class_name, row.position, row.text, row.drop_reason] for row in rows],
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


def _without_effectless(settings: DescriptionSettings) -> DescriptionSettings:
    """The settings, with defaults for those that decide nothing while the switches are as they are."""
    effectless: dict[str, object] = {"drop_empty": DEFAULTS.drop_empty}  # off: such a text is an error
    if not settings.drop_near_duplicates:
        effectless["near_duplicate_cosine"] = DEFAULTS.near_duplicate_cosine
    if not settings.drop_closer_to_another_class:
        effectless["closer_margin"] = DEFAULTS.closer_margin
    return settings.model_copy(update=effectless)
