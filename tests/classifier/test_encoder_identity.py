"""Which settings decide embeddings: all that decide a label, but for those of matching and the descriptions."""

import json

import pytest

from laketag.pipeline.classifier.deciding import deciding
from laketag.pipeline.classifier.encoder_identity import encoder_identity, name_what_differs
from laketag.pipeline.classifier.label_settings import CHANGING_LABELS
from laketag.pipeline.lake.embedding_runs import serves
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.settings_file import read_settings
from tests.classifier.test_fingerprint import ARCHITECTURE, BIRDS, NEEDS, OTHER, attention_of

OF_MATCHING = {
    *("method.name", "method.soft_matching", "method.matching_temperature", "method.tags"),
    *("method.budget", "method.cascade_lead", "method.adaptive_confidence", "method.round_crops"),
}
"""Budgets decide how many embeddings are made, and are refused where embeddings are kept or used."""


def identity(**changed: object) -> dict[str, object]:
    settings = read_settings(overrides=[f"{key}={json.dumps(value)}" for key, value in changed.items()])
    backbone = BackboneSpec(settings.backbone, settings.storage, "0" * 64, ARCHITECTURE)
    return encoder_identity(deciding(backbone, attention_of(settings), settings, BIRDS))


NAMES = [
    name
    for name in OTHER
    if name.split(".")[1] in CHANGING_LABELS.get(name.split(".")[0], ())
    and not name.startswith("descriptions")
    and name not in ("backbone.pretrained", "attention.weights")  # which count by their SHA-256
]


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_serve_another_classifier_exactly_if_only_matching_differs(name: str) -> None:
    base = NEEDS.get(name, {})
    kept, wanted = identity(**base), identity(**base | {name: OTHER[name]})
    assert serves(kept, wanted) == (name in OF_MATCHING)
    if name not in OF_MATCHING:
        assert [one.split()[0] for one in name_what_differs(kept, wanted)] != []


def test_the_whole_image_serves_a_method_without_crops_and_no_other() -> None:
    with_crops, without = identity(), identity(**{"method.name": "clip"})
    assert serves(with_crops, without)
    assert not serves(without, with_crops)
    assert name_what_differs(without, identity(**{"method.crops": 3}))[-1].startswith("seed")
    assert name_what_differs(with_crops, identity(**{"method.crops": 3})) == ["crops 50 → 3"]
