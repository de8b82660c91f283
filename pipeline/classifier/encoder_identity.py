"""Which embeddings a classifier makes: the part of what names it that decides them.

laketag.pipeline.lake.embedding_runs says whether those of another encoder can be used instead.
"""

import json
from typing import Any

DECIDING = ("backbone", "decode", "decode_revision", "label_revision")
"""Entries of laketag.pipeline.classifier.deciding that decide the embedding of the whole image."""
CROPPING = (
    *("raw_crops", "feature_crops", "crops", "attended_patches", "min_side_fraction", "max_side_fraction"),
    *("sampling_temperature", "feature_block", "seed"),
)
"""Settings of the method that decide the crops; with the attention model they decide the embeddings of these."""


def encoder_identity(decided_by: dict[str, Any]) -> dict[str, Any]:
    """``whole``: what decides the whole image's embedding; ``crops``: what else decides those of the crops, None without crops.

    The settings of matching, the tags and the descriptions are not in it.
    """
    method, attention = decided_by["method"], decided_by["attention"]
    crops = None
    if attention is not None:
        crops = {"attention": attention} | {name: method[name] for name in CROPPING if name in method}
    whole = {name: decided_by[name] for name in DECIDING}
    identity: dict[str, Any] = json.loads(json.dumps({"whole": whole, "crops": crops}))
    return identity


def name_what_differs(kept: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """The settings and models in which two encoders differ, as ``crops 16 → 50``."""
    found = []
    for part in ("whole", "crops"):
        old, new = kept[part] or {}, wanted[part] or {}
        for name in sorted({*old, *new}):
            before, now = old.get(name), new.get(name)
            if before != now and (part == "whole" or wanted["crops"]):
                is_short = all(isinstance(one, int | float | str | None) for one in (before, now))
                found.append(f"{name} {before} → {now}" if is_short else name)
    return found
