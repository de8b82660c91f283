"""The name of a classifier: everything that shapes a label, hashed; nothing that does not."""

import hashlib
import json
from typing import Any

from laketag.pipeline.config import DecodeSettings, MethodSettings
from laketag.pipeline.models.architecture import LOCAL_DIR, local_folder
from laketag.pipeline.models.attention_spec import AttentionSpec
from laketag.pipeline.models.backbone_spec import BackboneSpec


def classifier_fingerprint(
    backbone: BackboneSpec,
    attention: AttentionSpec | None,
    method: MethodSettings,
    decode: DecodeSettings,
    description_hash: str,
    label_schema: int,
) -> str:
    """16 hex characters that are equal for two classifiers only if the same image gets the same label from both.

    The specs must be resolved. Settings that a method does not use are left out: ``clip`` has the same fingerprint
    whatever the attention model or the number of crops. Where things lie and how fast they run is left out too.
    """
    assert backbone.architecture is not None
    shaped_by: dict[str, Any] = {
        "backbone": {
            "name": LOCAL_DIR if local_folder(backbone.settings) else backbone.settings.name,
            "sha256": backbone.sha256,
            "precision": backbone.settings.precision,
            "architecture": backbone.architecture.model_config_json,
            "preprocessing": backbone.architecture.preprocessing.as_dict(),
        },
        "attention": describe_attention(attention),
        "method": shaping_settings(method),
        "decode": decode.model_dump(mode="json"),
        "descriptions": description_hash,
        "label_schema": label_schema,
    }
    canonical = json.dumps(shaped_by, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()


def shaping_settings(method: MethodSettings) -> dict[str, Any]:
    """The method's settings that can change a label with the switches as they are."""
    settings = method.model_dump(mode="json")
    if method.name == "clip":
        return {name: settings[name] for name in ("name", "tags")}
    unused = set()
    if not method.feature_crops:
        unused |= {"feature_block"}
    if not needs_attention(method):
        unused |= {
            "crops",
            "attended_patches",
            "min_side_fraction",
            "max_side_fraction",
            "sampling_temperature",
            "seed",
        }
    return {name: value for name, value in settings.items() if name not in unused}


def needs_attention(method: MethodSettings) -> bool:
    """The method crops around attended patches."""
    return method.name == "abs" and (method.raw_crops or method.feature_crops)


def describe_attention(attention: AttentionSpec | None) -> dict[str, Any] | None:
    """What of the attention model shapes a label; None where a method looks nowhere."""
    if attention is None:
        return None
    if attention.is_backbone:
        return {"name": "backbone"}
    return {
        "name": attention.settings.name,
        "sha256": attention.sha256,
        "preprocessing": attention.preprocessing().as_dict(),
    }
