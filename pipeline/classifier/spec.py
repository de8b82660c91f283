"""A classifier on the driver: picklable, and checked before any weights are loaded."""

from dataclasses import dataclass
from typing import Any

import torch

from laketag.pipeline.classifier.attention import needs_attention
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.deciding import deciding
from laketag.pipeline.classifier.fingerprint import classifier_fingerprint
from laketag.pipeline.classifier.view_matcher import ViewMatcher
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.models.attention_spec import AttentionSpec
from laketag.pipeline.models.backbone_spec import BackboneSpec, check_cls_tower
from laketag.pipeline.models.device import checked_device


@dataclass(frozen=True)
class ClassifierSpec:
    """Names, checksums and settings of a classifier; ``load`` builds it on a worker."""

    backbone: BackboneSpec
    attention: AttentionSpec | None  # None if the method has no crops
    settings: Settings
    descriptions: EmbeddedSet

    @property
    def fingerprint(self) -> str:
        """See ``classifier_fingerprint``."""
        return classifier_fingerprint(self.decided_by)

    @property
    def decided_by(self) -> dict[str, Any]:
        """See ``deciding``."""
        return deciding(self.backbone, self.attention, self.settings, self.descriptions)

    def load(
        self, texts: ClassTexts, device: str, threads: int | None = None, *, keeps_views: bool = False
    ) -> Classifier:
        """The classifier on the device. On a CPU, torch and the resizing of crops use ``threads`` threads of this process."""
        if threads is not None:
            torch.set_num_threads(threads)
        own_model = self.attention is not None and not self.attention.is_backbone
        encoders = Encoders(
            self.backbone.load(device),
            self.attention.load(device) if self.attention is not None and own_model else None,
        )
        return Classifier(
            encoders,
            texts,
            self.settings.method,
            views_per_pass=self.settings.run.views_per_pass,
            threads=torch.get_num_threads() if device == "cpu" else 1,
            keeps_views=keeps_views,
        )

    def load_matcher(self, texts: ClassTexts, logit_scale: float, device: str, threads: int) -> ViewMatcher:
        """What labels as the classifier does, from kept embeddings, and without its models; ``logit_scale`` is the backbone's."""
        torch.set_num_threads(threads)
        return ViewMatcher(texts, self.settings.method, logit_scale, checked_device(device))

    def models(self) -> dict[str, dict[str, str | None]]:
        """Names and SHA-256 of the weights, for the table of runs."""
        named = {"backbone": {"name": self.backbone.name, "sha256": self.backbone.sha256}}
        if self.attention is not None:
            named["attention"] = {"name": self.attention.name, "sha256": self.attention.sha256}
        return named


def classifier_spec(settings: Settings, descriptions: EmbeddedSet) -> ClassifierSpec:
    """The spec of the classifier that the settings name; its weights are on this machine afterwards."""
    method = settings.method
    attention = AttentionSpec(settings.attention, settings.storage) if needs_attention(method) else None
    backbone = BackboneSpec(settings.backbone, settings.storage).with_architecture()
    if attention is not None and (method.feature_crops or attention.is_backbone):
        check_cls_tower(backbone, method.feature_block)
    return ClassifierSpec(backbone.resolved(), attention and attention.resolved(), settings, descriptions)
