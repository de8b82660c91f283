"""Evaluators of tiny models."""

from collections.abc import Sequence

from laketag.pipeline.classifier.evaluator import Evaluator, Trial
from laketag.pipeline.classifier.method_names import Method, find_methods
from laketag.pipeline.classifier.micro_batch import MicroBatch
from laketag.pipeline.classifier.shared_views import EvaluatedModels
from laketag.pipeline.config import Settings
from tests.classifier.scenes import models, random_image, random_texts

SETTINGS = Settings.model_validate(
    {"method": {"crops": 3, "attended_patches": 5, "round_crops": 1}, "attention": {"name": "tiny"}}
)
SEEDS = (0, 1)
IMAGES = [random_image(60 + 13 * number, 80 - 9 * number, number) for number in range(3)]
IDS = ["one", "two", "three"]
TRUE = [2, 0, 3]


def evaluated_models(settings: Settings = SETTINGS) -> EvaluatedModels:
    encoders, _ = models(7, attention_grid=14)
    assert encoders.attention is not None
    return EvaluatedModels(encoders.backbone, {"tiny": encoders.attention}, settings, MicroBatch(256))


def all_methods(settings: Settings = SETTINGS) -> tuple[Method, ...]:
    return find_methods(["all"], settings)


def evaluator(methods: Sequence[Method], models_: EvaluatedModels | None = None) -> Evaluator:
    texts = {"templates": 5, "descriptors": 6, "waffle-0": 7, "waffle-1": 8}
    described = {name: random_texts(seed) for name, seed in texts.items()} | {"descriptions": random_texts(0)}
    return Evaluator(models_ or evaluated_models(), tuple(methods), described)


def trials(methods: Sequence[Method], seeds: Sequence[int] = SEEDS) -> list[Trial]:
    return [Trial(method, seed) for method in methods for seed in (seeds if method.varies else seeds[:1])]
