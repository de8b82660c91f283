"""The name of a classifier: a hash of everything that can change a label, and of nothing else."""

import hashlib
import json
from typing import Any

EARLIER_MAX_PIXELS = 178_956_970
"""Earlier versions took ``decode.max_pixels`` for something that changes a label. Names still contain the default that it had
then, so that images which were labelled with the default stay done."""


def classifier_fingerprint(decided_by: dict[str, Any], max_pixels: int = EARLIER_MAX_PIXELS) -> str:
    """16 hex characters; two classifiers share them only if both give the same label to the same image.

    ``decided_by`` is the result of laketag.pipeline.classifier.deciding. With ``max_pixels``: the name that earlier
    versions gave to the same classifier while ``decode.max_pixels`` had this value.
    """
    named_by = decided_by | {"decode": decided_by["decode"] | {"max_pixels": max_pixels}}
    canonical = json.dumps(named_by, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()
