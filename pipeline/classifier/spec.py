"""A classifier as the driver knows it: picklable, with everything that shapes a label named and checked."""

from dataclasses import dataclass

import torch

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.fingerprint import classifier_fingerprint, needs_attention
from laketag.pipeline.config import DecodeSettings, MethodSettings, Settings
from laketag.pipeline.models.attention_spec import AttentionSpec
from laketag.pipeline.models.backbone_spec import BackboneSpec, check_cls_tower


@dataclass(frozen=True)
class ClassifierSpec:
    """Names, checksums and settings; ``load`` makes the classifier on a worker."""

    backbone: BackboneSpec
    attention: AttentionSpec | None  # None where the method looks nowhere
    method: MethodSettings
    decode: DecodeSettings
    description_set: str
    description_version: str
    views_per_pass: int
    fingerprint: str

    def load(self, texts: ClassTexts, device: str, threads: int | None = None) -> Classifier:
        """The classifier on the device; ``threads`` sets how many of this process's torch and resize with on a CPU."""
        if threads is not None:
            torch.set_num_threads(threads)
        looks_itself = self.attention is None or self.attention.is_backbone
        return Classifier(
            self.backbone.load(device),
            None if looks_itself or self.attention is None else self.attention.load(device),
            texts,
            self.method,
            views_per_pass=self.views_per_pass,
            threads=torch.get_num_threads() if device == "cpu" else 1,
        )

    def models(self) -> dict[str, dict[str, str | None]]:
        """Names and SHA-256 of the weights, for the table of runs."""
        named = {"backbone": {"name": self.backbone.name, "sha256": self.backbone.sha256}}
        if self.attention is not None:
            named["attention"] = {"name": self.attention.name, "sha256": self.attention.sha256}
        return named


def classifier_spec(
    settings: Settings,
    description_set: str,
    description_version: str,
    *,
    description_hash: str,
    label_schema: int,
) -> ClassifierSpec:
    """The spec of the settings' classifier, with its weights found (and downloaded if need be) on this machine.

    ``description_hash`` stands for the version's content; ``label_schema`` is the version of the label table's meaning.
    """
    method = settings.method
    attention = AttentionSpec(settings.attention, settings.storage) if needs_attention(method) else None
    backbone = BackboneSpec(settings.backbone, settings.storage).with_architecture()
    if attention is not None and (method.feature_crops or attention.is_backbone):
        check_cls_tower(backbone, method.feature_block)
    backbone, attention = backbone.resolved(), attention and attention.resolved()
    return ClassifierSpec(
        backbone=backbone,
        attention=attention,
        method=method,
        decode=settings.decode,
        description_set=description_set,
        description_version=description_version,
        views_per_pass=settings.run.views_per_pass,
        fingerprint=classifier_fingerprint(
            backbone, attention, method, settings.decode, description_hash, label_schema
        ),
    )
