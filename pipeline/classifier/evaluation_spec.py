"""An evaluation on the driver: picklable, and named by everything that can change its results."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.deciding import DECODE_REVISION, LABEL_REVISION
from laketag.pipeline.classifier.evaluator import Evaluator, load_evaluator
from laketag.pipeline.classifier.label_settings import CHANGING_LABELS
from laketag.pipeline.classifier.method_names import BACKBONE, CONTROLS, Method
from laketag.pipeline.classifier.micro_batch import MicroBatch
from laketag.pipeline.classifier.shared_views import EvaluatedModels
from laketag.pipeline.config import AttentionSettings, Settings
from laketag.pipeline.models.attention_spec import AttentionSpec
from laketag.pipeline.models.backbone_spec import BackboneSpec, check_cls_tower


@dataclass(frozen=True)
class EvaluationSpec:
    """Models, settings and methods; ``load`` builds the evaluator on a worker."""

    backbone: BackboneSpec
    attention: dict[str, AttentionSpec]
    """By the name of the source, without ``backbone`` and the controls."""
    settings: Settings
    methods: tuple[Method, ...]

    def load(self, texts: dict[str, ClassTexts], device: str, threads: int) -> Evaluator:
        """The evaluator on the device; on a CPU it uses ``threads`` threads."""
        torch.set_num_threads(threads)
        models = EvaluatedModels(
            self.backbone.load(device),
            {source: spec.load(device) for source, spec in self.attention.items()},
            self.settings,
            MicroBatch(self.settings.run.views_per_pass),
        )
        return load_evaluator(models, self.methods, texts, threads if device == "cpu" else 1)


def evaluation_spec(settings: Settings, methods: tuple[Method, ...]) -> EvaluationSpec:
    """The spec; all weights are on this machine afterwards. ModelError if a model cannot do what a method needs."""
    backbone = BackboneSpec(settings.backbone, settings.storage).with_architecture()
    sources = {method.attention for method in methods if method.attention} - set(CONTROLS)
    if BACKBONE in sources or any("features" in method.views for method in methods):
        check_cls_tower(backbone, settings.method.feature_block)
    attention = {
        source: AttentionSpec(_attention_settings(source, settings), settings.storage).resolved()
        for source in sorted(sources - {BACKBONE})
    }
    return EvaluationSpec(backbone.resolved(), attention, settings, methods)


def deciding_results(spec: EvaluationSpec) -> dict[str, Any]:
    """What decides the results of a trial besides its method, its seed, the images and the texts, as JSON can hold it."""
    settings = spec.settings
    assert spec.backbone.architecture is not None
    return {
        "backbone": {
            "sha256": spec.backbone.sha256,
            "precision": settings.backbone.precision,
            "architecture": spec.backbone.architecture.model_config_json,
            "preprocessing": asdict(spec.backbone.architecture.preprocessing),
        },
        "attention": settings.attention.model_dump(mode="json"),
        "method": settings.method.model_dump(
            mode="json",
            include=CHANGING_LABELS["method"]
            - {"name", "seed", "tags", "budget", "cascade_lead", "adaptive_confidence"},
        ),
        "evaluate": settings.evaluate.model_dump(mode="json"),
        "decode": settings.decode.model_dump(mode="json", include=CHANGING_LABELS["decode"]),
        "revisions": [DECODE_REVISION, LABEL_REVISION],
    }


def _attention_settings(source: str, settings: Settings) -> AttentionSettings:
    """Those of the source; weights and checksum of the settings belong to the settings' own source."""
    if source == settings.attention.name:
        return settings.attention
    return settings.attention.model_copy(update={"name": source, "weights": None, "sha256": None})
