"""What decides a label; its hash names the classifier (laketag.pipeline.classifier.fingerprint)."""

from dataclasses import asdict
from typing import Any

from laketag.pipeline.classifier.attention import needs_attention
from laketag.pipeline.classifier.label_settings import CHANGING_LABELS
from laketag.pipeline.config import LOCAL_DIR, MethodSettings, Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.models.architecture import local_folder
from laketag.pipeline.models.attention_spec import AttentionSpec
from laketag.pipeline.models.backbone_spec import BackboneSpec

DECODE_REVISION = 2
"""Raise it when the same bytes give other pixels: every image of every lake is labelled again."""
LABEL_REVISION = 2
"""Raise it when the same pixels give another label, or a column of the label table changes its meaning: every image of
every lake is labelled again. A new column that may be null does not need it."""

USED_BY_BUDGET = {
    "full": (),  # lakes were labelled before there was another one
    "cascade": ("budget", "cascade_lead"),
    "adaptive": ("budget", "adaptive_confidence", "round_crops"),
}
"""Settings that a budget uses."""
BUDGETS = tuple(name for names in USED_BY_BUDGET.values() for name in names)


def deciding(
    backbone: BackboneSpec, attention: AttentionSpec | None, settings: Settings, descriptions: EmbeddedSet
) -> dict[str, Any]:
    """Everything that can change a label, and nothing else, as JSON can hold it.

    The specs must be resolved. laketag.pipeline.classifier.label_settings lists the settings. Those that the method does
    not use are left out: ``clip`` is the same with any attention model and any number of crops.
    """
    assert backbone.architecture is not None
    return {
        "backbone": {
            "name": LOCAL_DIR if local_folder(backbone.settings) else backbone.settings.name,
            "sha256": backbone.sha256,
            "precision": backbone.settings.precision,
            "architecture": backbone.architecture.model_config_json,
            "preprocessing": asdict(backbone.architecture.preprocessing),
        },
        "attention": _attention_identity(attention),
        "method": _used_settings(settings.method),
        "decode": settings.decode.model_dump(mode="json", include=CHANGING_LABELS["decode"]),
        # queries name a set, so sets of equal content and different names must not share labels
        "descriptions": f"{descriptions.name}/{descriptions.content_hash}",
        "decode_revision": DECODE_REVISION,
        "label_revision": LABEL_REVISION,
    }


def _used_settings(method: MethodSettings) -> dict[str, Any]:
    """The method's settings that can change a label while its switches are as they are."""
    settings = method.model_dump(mode="json", include=CHANGING_LABELS["method"])
    if method.name == "clip":
        return {name: settings[name] for name in ("name", "tags")}
    unused = set(BUDGETS) - set(USED_BY_BUDGET[method.budget])
    if not method.soft_matching:
        unused |= {"matching_temperature"}
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


def _attention_identity(attention: AttentionSpec | None) -> dict[str, Any] | None:
    """What identifies the attention model; None for a method without crops."""
    if attention is None:
        return None
    if attention.is_backbone:
        return {"name": "backbone"}
    precision = attention.settings.precision
    return {
        "name": attention.settings.name,
        "sha256": attention.sha256,
        "preprocessing": asdict(attention.preprocessing()),
        **(
            {} if precision == "fp32" else {"precision": precision}
        ),  # lakes were labelled before it could be set
    }
