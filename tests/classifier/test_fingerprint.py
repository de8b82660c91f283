"""A classifier's name: exactly these characters, and changed by what can change a label and by nothing else."""

import json
from dataclasses import replace

import pytest

from laketag.pipeline.classifier.deciding import deciding
from laketag.pipeline.classifier.fingerprint import classifier_fingerprint
from laketag.pipeline.classifier.label_settings import CHANGING_LABELS
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.content_hash import hash_content
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.descriptions.lint import lint
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


OTHER: dict[str, object] = {
    "backbone.name": "ViT-B-32",
    "backbone.pretrained": "/weights",
    "backbone.sha256": "a" * 64,
    "backbone.precision": "bf16",
    "attention.name": "backbone",
    "attention.weights": "/weights",
    "attention.sha256": "a" * 64,
    "attention.preprocessing": "timm",
    "attention.precision": "bf16",
    "method.name": "clip",
    "method.raw_crops": False,
    "method.feature_crops": False,
    "method.soft_matching": False,
    "method.crops": 3,
    "method.attended_patches": 3,
    "method.min_side_fraction": 0.5,
    "method.max_side_fraction": 0.8,
    "method.sampling_temperature": 1.0,
    "method.matching_temperature": 1.0,
    "method.feature_block": 1,
    "method.seed": 1,
    "method.tags": 2,
    "method.budget": "cascade",
    "method.cascade_lead": 0.5,
    "method.adaptive_confidence": 0.99,
    "method.round_crops": 2,
    "descriptions.label_prompt": "the {}",
    "descriptions.drop_empty": False,
    "descriptions.drop_exact_duplicates": False,
    "descriptions.drop_near_duplicates": False,
    "descriptions.near_duplicate_cosine": 0.5,
    "descriptions.drop_names_another_class": False,
    "descriptions.drop_closer_to_another_class": True,
    "descriptions.closer_margin": 0.1,
    "descriptions.limit_per_class": 3,
    "descriptions.batch_size": 3,
    "index.max_gone_fraction": 0.3,
    "fetch.concurrency": 3,
    "fetch.max_bytes": 3,
    "fetch.deadline_s": 3,
    "fetch.attempts": 3,
    "fetch.attempts_over_runs": 3,
    "fetch.backoff_s": 0.1,
    "fetch.max_backoff_s": 3,
    "fetch.allowed_roots": ["/images"],
    "fetch.local_images": False,
    "decode.max_pixels": 3,
    "decode.short_side_px": 3,
    "decode.bounded_pixels": 3,
    "storage.max_outage_s": 3,
    "run.device": "cpu",
    "run.actors": 3,
    "run.max_actors": 3,
    "run.autoscaling": True,
    "run.gpus_per_actor": 0.5,
    "run.cpus_per_actor": 3,
    "run.memory_per_actor_gib": 3,
    "run.threads_per_actor": 3,
    "run.fetch_slots": 3,
    "run.decode_slots": 3,
    "run.batch_size": 3,
    "run.views_per_pass": 3,
    "run.rows_per_block": 3,
    "run.rows_per_file": 3,
    "run.max_failed_fraction": 0.3,
    "run.failed_images_before_stop": 3,
    "run.price_per_hour": 3,
    "run.keep": ["scores"],
    "run.missing_nodes_s": 3,
    "run.stall_s": 3,
    "evaluate.wca_crops": 60,
    "evaluate.wca_min_side_fraction": 0.7,
    "evaluate.waffle_pairs": 4,
} | {
    f"{table}.{name}": value
    for table in ("storage", "source")
    for name, value in {
        "endpoint_url": "http://host",
        "region": "r",
        "profile": "p",
        "anonymous": True,
        "requester_pays": True,
        "addressing": "path",
    }.items()
}
"""Each setting, and a value that is not its default."""
NEEDS: dict[str, dict[str, object]] = {
    "descriptions.closer_margin": {"descriptions.drop_closer_to_another_class": True},
    "method.cascade_lead": {"method.budget": "cascade"},
    "method.adaptive_confidence": {"method.budget": "adaptive"},
    "method.round_crops": {"method.budget": "adaptive"},
    "run.autoscaling": {"run.device": "cpu", "run.max_actors": 3},
}
"""Settings that are used, or allowed, only with others."""
SENTENCES = {"cat": ("A cat purrs.", "It purrs.", "It purrs.", "Unlike a dog."), "dog": ("A dog barks.",)}


def named_by(changed: dict[str, object]) -> str:
    """The fingerprint of a classifier, whose descriptions and weights are made with these settings too."""
    settings = read_settings(overrides=[f"{key}={json.dumps(value)}" for key, value in changed.items()])
    rows = lint(SENTENCES, settings.descriptions, "FILE")
    version = f"V-{hash_content(rows, settings.descriptions, 'model')}"
    weights = "0" if settings.backbone.pretrained == "openai" else "2"
    backbone = BackboneSpec(settings.backbone, settings.storage, weights * 64, ARCHITECTURE)
    attention = attention_of(settings)
    if attention is not None and settings.attention.weights:
        attention = replace(attention, sha256="3" * 64)
    return classifier_fingerprint(deciding(backbone, attention, settings, replace(BIRDS, version=version)))


def test_every_setting_is_tried_and_those_that_can_change_a_label_exist() -> None:
    known = {(table, name) for table, values in Settings() for name in type(values).model_fields}
    assert {tuple(key.split(".")) for key in OTHER} == known
    assert {(table, name) for table, names in CHANGING_LABELS.items() for name in names} <= known


@pytest.mark.parametrize("setting", OTHER)
def test_the_fingerprint_changes_with_a_setting_exactly_if_that_can_change_a_label(setting: str) -> None:
    table, name = setting.split(".")
    base = NEEDS.get(setting, {})
    changed = named_by(base | {setting: OTHER[setting]}) != named_by(base)
    assert changed == (name in CHANGING_LABELS.get(table, ()))


def test_what_can_change_a_label_beside_the_settings_changes_the_fingerprint() -> None:
    found = [
        fingerprint(),
        fingerprint(weights="2"),
        fingerprint(descriptions=replace(BIRDS, name="other")),
        fingerprint(descriptions=replace(BIRDS, version="V-" + "f" * 16)),
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("base", "more"),
    [
        ([CLIP], ["method.crops=3"]),
        ([CLIP], ["attention.preprocessing=timm"]),
        (["method.feature_crops=false"], ["method.feature_block=1"]),
        (["method.soft_matching=false"], ["method.matching_temperature=1"]),
        ([], ["method.cascade_lead=0.5", "method.adaptive_confidence=0.99", "method.round_crops=2"]),
        (["method.budget=cascade"], ["method.adaptive_confidence=0.99", "method.round_crops=2"]),
        (["method.budget=adaptive"], ["method.cascade_lead=0.5"]),
        (['backbone.pretrained="local-dir:/m"'], ['backbone.pretrained="local-dir:s3://b/m"']),
    ],
)
def test_what_the_method_does_not_use_does_not_change_the_fingerprint(
    base: list[str], more: list[str]
) -> None:
    assert fingerprint(*base, *more) == fingerprint(*base)


def test_another_version_of_equal_content_has_the_same_fingerprint() -> None:
    assert (
        fingerprint(descriptions=replace(BIRDS, version="W-0123456789abcdef", backbone="elsewhere"))
        == fingerprint()
    )
