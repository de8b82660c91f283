"""The driver's evaluation: its pickled spec, what decides its results, and texts that methods make themselves; without torch."""

import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from laketag.pipeline.classifier.method_names import Method
from laketag.pipeline.config import Settings
from laketag.pipeline.models.child_process import call_in_child
from laketag.pipeline.models.choose_backbone import ChosenBackbone, find_backbone

Texts = dict[str, tuple[str, ...]]
"""Class name → texts."""


@dataclass(frozen=True)
class ChosenEvaluation:
    """What an evaluation needs of the models and their packages."""

    backbone: ChosenBackbone
    pickled_spec: bytes
    """The EvaluationSpec; to unpickle it imports torch."""
    decided_by: dict[str, Any]
    """See laketag.pipeline.classifier.evaluation_spec.deciding_results."""
    generated: dict[str, Texts]
    """``templates`` and ``waffle-SEED``, as far as the methods read them."""


def choose_evaluation(
    settings: Settings, methods: tuple[Method, ...], class_names: Sequence[str], seeds: Sequence[int]
) -> ChosenEvaluation:
    """The evaluation of the methods; all weights are on this machine afterwards. ModelError if a model cannot be used."""
    if "open_clip" in sys.modules:  # a process of its own would save nothing
        return summarise_evaluation(settings, methods, class_names, seeds)
    return call_in_child(summarise_evaluation, settings, methods, class_names, seeds)


def summarise_evaluation(
    settings: Settings, methods: tuple[Method, ...], class_names: Sequence[str], seeds: Sequence[int]
) -> ChosenEvaluation:
    """As choose_evaluation, in this process."""
    from laketag.pipeline.classifier.evaluation_spec import deciding_results, evaluation_spec
    from laketag.pipeline.classifier.generated_texts import template_texts, waffle_texts

    spec = evaluation_spec(settings, methods)
    kinds = {method.texts for method in methods}
    generated: dict[str, Texts] = {"templates": template_texts(class_names)} if "templates" in kinds else {}
    if "waffle" in kinds:
        pairs = settings.evaluate.waffle_pairs
        generated |= {f"waffle-{seed}": waffle_texts(class_names, pairs, seed) for seed in seeds}
    return ChosenEvaluation(
        find_backbone(settings.backbone, settings.storage),
        pickle.dumps(spec),
        deciding_results(spec),
        generated,
    )
