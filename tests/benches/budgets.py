"""Full ABS against its budgets, with the demo's model on drawn pictures: seconds an image, and how many labels are the same."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from laketag.demo.lake import write_demo_images
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.settings_file import read_settings
from tests.benches.rows import Row, seconds_row

DEMO = Path(__file__).parents[2] / "demo"
SETTINGS = DEMO / "settings.toml"
CROPS, PICTURES = 50, 40
BUDGETS: dict[str, dict[str, Any]] = {
    "cascade": {"budget": "cascade"},
    "adaptive": {"budget": "adaptive"},
}
THREADS = os.cpu_count() or 1


@torch.inference_mode()
def compare_budgets() -> Iterator[Row]:
    """A row for each budget at its default threshold; all label the same pictures, after one round to warm up."""
    torch.set_num_threads(THREADS)
    settings = read_settings(
        SETTINGS, [f"method.crops={CROPS}", f"backbone.pretrained=local-dir:{DEMO / 'model'}"]
    )
    spec = BackboneSpec(settings.backbone, settings.storage).with_architecture().resolved()
    encoders = Encoders(spec.load("cpu"), None)
    texts, (pictures, ids) = demo_texts(encoders), _pictures()

    def label(method: dict[str, Any]) -> tuple[float, list[Any]]:
        classifier = Classifier(
            encoders, texts, settings.method.model_copy(update=method), views_per_pass=256, threads=THREADS
        )
        classifier.label(pictures[:8], ids[:8])
        began = time.perf_counter()
        labels = classifier.label(pictures, ids)
        return (time.perf_counter() - began) / len(pictures), labels

    full_s, full = label({})
    for name, method in BUDGETS.items():
        seconds, found = label(method)
        same = sum(one.label == other.label for one, other in zip(found, full, strict=True))
        crops = sum(one.crops for one in found) / len(found)
        note = f"{same} of {len(full)} labels the same, {crops:.1f} of {CROPS} crops"
        yield seconds_row(f"full ABS against --budget {name}, an image, demo's model", full_s, seconds, note)


def demo_texts(encoders: Encoders) -> ClassTexts:
    described: dict[str, list[str]] = json.loads((DEMO / "descriptions.json").read_text())
    texts = [text for of_class in described.values() for text in of_class]
    prompts = [f"a photo of a {name}." for name in described]
    counts = torch.tensor([len(of_class) for of_class in described.values()])
    return ClassTexts(
        class_names=tuple(described),
        embeddings=encoders.backbone.encode_text(texts),
        class_index=torch.arange(len(described)).repeat_interleave(counts),
        descriptions=tuple(texts),
        label_prompts=encoders.backbone.encode_text(prompts),
        label_prompt_texts=tuple(prompts),
    )


def _pictures() -> tuple[list[np.ndarray], list[str]]:
    with TemporaryDirectory() as folder:
        drawn = [one for one in write_demo_images(Path(folder), count=PICTURES) if one.fault is None]
        pictures = [np.asarray(Image.open(one.path).convert("RGB")) for one in drawn]
        return pictures, [one.path.name for one in drawn]
