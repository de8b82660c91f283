"""A classifier's name: exactly these characters, and changed by whatever can change a label."""

from dataclasses import replace

import pytest

from laketag.pipeline.classifier.fingerprint import classifier_fingerprint, deciding
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.models.architecture import Architecture
from laketag.pipeline.models.attention_spec import AttentionSpec
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.models.preprocessing import Preprocessing
from laketag.pipeline.settings_file import read_settings
from tests.models.tiny import HALF

ARCHITECTURE = Architecture('{"embed_dim": 8}', Preprocessing(16, "shortest", "bicubic", HALF, HALF))
BIRDS = EmbeddedSet(
    name="birds", version="V-0123456789abcdef", backbone="B", backbone_sha256="0" * 64, label_prompt="a {}"
)
CLIP = "method.name=clip"


def fingerprint(*overrides: str, weights: str = "0", descriptions: EmbeddedSet = BIRDS) -> str:
    settings = read_settings(overrides=overrides)
    backbone = BackboneSpec(settings.backbone, settings.storage, weights * 64, ARCHITECTURE)
    return classifier_fingerprint(deciding(backbone, attention_of(settings), settings, descriptions))


def attention_of(settings: Settings) -> AttentionSpec | None:
    if settings.method.name == "clip":
        return None
    sha256 = None if settings.attention.name == "backbone" else "1" * 64
    return AttentionSpec(settings.attention, settings.storage, sha256)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], "371dea11e2a1a0c7"),
        ([CLIP], "dca135729d42bd9a"),
        (["attention.name=backbone"], "cb7801f7a3683b9d"),
        (['backbone.pretrained="local-dir:/m"', "method.feature_crops=false"], "69af10245920c4a1"),
    ],
)
def test_fingerprints_are_these_as_long_as_labels_are_the_same(overrides: list[str], expected: str) -> None:
    """Change them only together with the labels: another fingerprint makes every image of every lake pending."""
    assert fingerprint(*overrides) == expected


def test_what_can_change_a_label_changes_the_fingerprint() -> None:
    found = [
        fingerprint(),
        fingerprint(weights="2"),
        fingerprint(descriptions=replace(BIRDS, name="other")),
        fingerprint(descriptions=replace(BIRDS, version="V-" + "f" * 16)),
        *map(fingerprint, (CLIP, "method.seed=1", "method.crops=3", "backbone.precision=bf16")),
        *map(fingerprint, ("attention.preprocessing=timm", "decode.short_side_px=64", "method.tags=2")),
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("base", "more"),
    [
        ([], ["run.views_per_pass=3"]),
        ([], ["fetch.attempts=9"]),
        ([CLIP], ["method.crops=3"]),
        ([CLIP], ["attention.preprocessing=timm"]),
        (["method.feature_crops=false"], ["method.feature_block=1"]),
        (["method.soft_matching=false"], ["method.matching_temperature=1"]),
        (['backbone.pretrained="local-dir:/m"'], ['backbone.pretrained="local-dir:s3://b/m"']),
    ],
)
def test_what_cannot_change_a_label_does_not_change_the_fingerprint(base: list[str], more: list[str]) -> None:
    assert fingerprint(*base, *more) == fingerprint(*base)


def test_another_version_of_equal_content_has_the_same_fingerprint() -> None:
    assert (
        fingerprint(descriptions=replace(BIRDS, version="W-0123456789abcdef", backbone="elsewhere"))
        == fingerprint()
    )
