"""ABS in a plain loop against laketag in fp32 and bf16, and each way to save work on and off: ratios within one run.

The plain loop is tests/classifier/naive_abs.py: one crop at a time, cut by Pillow, through whole blocks, in fp32. Random
weights and two threads or more; FLOP are those of laketag's path, and their rate is compared with torch.mm's.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F  # noqa: N812  # torch's own habit

from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.matching import match_softly
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.config import MethodSettings
from laketag.pipeline.models.text_tower import encode_tokens
from tests.benches.random_models import (
    count_flop,
    matrix_rate,
    measure_s,
    random_encoders,
    random_pictures,
    random_texts,
)
from tests.classifier import naive_abs

ARCHITECTURES = ("ViT-B-32", "ViT-B-16")
CROPS, IMAGES, CLASSES, DESCRIPTIONS = 50, 2, 20, 5
CPU = torch.device("cpu")
MATRIX = 4096
SENTENCE_WORDS = range(8, 28)
MATCHED_IMAGES, MATCHED_CLASSES, MATCHED_DESCRIPTIONS, DIM = 64, 1000, 50, 512


def run() -> None:
    """Measure and print two tables."""
    torch.set_num_threads(os.cpu_count() or 1)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {CROPS} crops of each kind, {IMAGES} images"
    )
    Console().print(compare_with_a_plain_loop())
    Console().print(compare_savings())


@torch.inference_mode()
def compare_with_a_plain_loop() -> Table:
    """Seconds an image of the plain loop and of laketag, with the share of the machine's own matrix rate."""
    rates = {
        "fp32": matrix_rate(torch.float32, CPU, MATRIX),
        "bf16": matrix_rate(torch.bfloat16, CPU, MATRIX),
    }
    table = Table(
        "model", "how", "s an image", "ratio", "GFLOP an image", "GFLOP/s", "of torch.mm", "same label"
    )
    pictures, ids = random_pictures(IMAGES), [str(number) for number in range(IMAGES)]
    for architecture in ARCHITECTURES:
        encoders = random_encoders(architecture, "fp32", CPU)
        texts = random_texts(CLASSES, DESCRIPTIONS, encoders.backbone.embed_dim)
        labels: list[str] = []
        models = plain_models(encoders)

        def label_plainly() -> None:
            for picture, image_id in zip(pictures, ids, strict=True):
                found = naive_abs.label_image(
                    picture,
                    image_id,
                    models,  # noqa: B023  # called within the loop
                    texts.embeddings,  # noqa: B023
                    texts.class_index.tolist(),  # noqa: B023
                    CLASSES,
                    MethodSettings(crops=CROPS),
                )
                labels.append(texts.class_names[found.label])  # noqa: B023

        plain_s = measure_s(label_plainly, CPU, repeats=1) / IMAGES
        expected = labels[-IMAGES:]
        table.add_row(architecture, "plain loop, fp32", f"{plain_s:.2f}", "1.00", "", "", "", "")
        for precision, rate in rates.items():
            classifier = Classifier(
                encoders if precision == "fp32" else random_encoders(architecture, precision, CPU),
                texts,
                MethodSettings(crops=CROPS),
                views_per_pass=256,
                threads=torch.get_num_threads(),
            )
            flop = count_flop(lambda: classifier.label(pictures[:1], ids[:1]))  # noqa: B023
            seconds = measure_s(lambda: classifier.label(pictures, ids), CPU, repeats=1) / IMAGES  # noqa: B023
            found = [label.label for label in classifier.label(pictures, ids)]
            same = sum(one == other for one, other in zip(found, expected, strict=True))
            table.add_row(
                architecture,
                f"laketag, {precision}",
                f"{seconds:.2f}",
                f"{plain_s / seconds:.2f}",
                f"{flop / 1e9:.0f}",
                f"{flop / seconds / 1e9:.0f}",
                f"{flop / seconds / rate:.0%}",
                f"{same} of {IMAGES}",
            )
    for precision, rate in rates.items():
        table.add_row("", f"torch.mm of {MATRIX}, {precision}", "", "", "", f"{rate / 1e9:.0f}", "100%", "")
    return table


def plain_models(encoders: Encoders) -> naive_abs.NaiveModels:
    """The same weights as open_clip and timm run them."""
    backbone = encoders.backbone
    attention = random_encoders(backbone.name, "fp32", CPU).attention
    assert attention is not None
    vit = attention._vit  # whose last block laketag has taken out
    vit.blocks.append(attention._last_block)
    return naive_abs.NaiveModels(
        clip=backbone._clip,
        clip_transform=naive_abs.clip_transform(backbone.preprocessing),
        resize_mode=backbone.preprocessing.resize_mode,
        vit=vit,
        vit_transform=naive_abs.clip_transform(attention.preprocessing),
    )


@torch.inference_mode()
def compare_savings() -> Table:
    """Each way to save work: seconds without and with it, their ratio and the largest difference of the results."""
    table = Table("what", "without, s", "with, s", "ratio", "largest difference")
    encoders = random_encoders("ViT-B-32", "fp32", CPU)
    table.add_row(*_compare_text_towers(encoders))
    table.add_row(*_compare_matching())
    table.add_row(*_compare_attention(encoders))
    table.add_row(*_compare_batches(encoders))
    table.add_row(f"soft matching, {MATCHED_IMAGES} images, MiB at most", *_matching_memory())
    return table


def _compare_text_towers(encoders: Encoders) -> tuple[str, ...]:
    texts = sorted("word " * SENTENCE_WORDS[number % len(SENTENCE_WORDS)] for number in range(128))
    clip: Any = encoders.backbone._clip
    ids, _ = encoders.backbone.tokenize(texts)
    batches = [ids[start : start + 32] for start in range(0, len(ids), 32)]
    return _row(
        "text tower on 10 to 29 of 77 tokens",
        lambda: torch.cat([clip.encode_text(batch) for batch in batches]),
        lambda: torch.cat([F.normalize(encode_tokens(clip, batch), dim=-1) for batch in batches]),
        normalise=True,
    )


def _matched(images: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    views = F.normalize(torch.randn(images, 2 * CROPS, DIM, generator=generator), dim=-1)
    texts = random_texts(MATCHED_CLASSES, MATCHED_DESCRIPTIONS, DIM).embeddings
    return views, texts, torch.arange(len(texts)).view(MATCHED_CLASSES, MATCHED_DESCRIPTIONS)


def match_at_once(views: torch.Tensor, texts: torch.Tensor, members: torch.Tensor) -> torch.Tensor:
    """Scores from the softmax over all texts, with all similarities in memory."""
    similarity = views @ texts.T / 0.03
    return (similarity.softmax(dim=-1) * similarity).sum(dim=1)[:, members].sum(dim=-1)


def _compare_matching() -> tuple[str, ...]:
    views, texts, members = _matched(8)
    return _row(
        f"soft matching in groups, 8 images × {2 * CROPS} views × {len(texts):,} texts",
        lambda: match_at_once(views, texts, members),
        lambda: match_softly(views, texts, members, 0.03, 100.0).scores,
    )


def _matching_memory() -> tuple[str, ...]:
    """Of 64 images, without the texts and the models, in processes of their own."""
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-m", "tests.benches.classifying", how],
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        )
        for how in ("at-once", "groups")
    ]
    return f"{peaks[0]:,}", f"{peaks[1]:,}", f"{peaks[0] / max(1, peaks[1]):.1f}", ""


@torch.inference_mode()
def print_matching_memory(how: str) -> None:
    """Print by how many MiB matching 64 images raises the memory of this process at most."""
    views, texts, members = _matched(MATCHED_IMAGES)
    before = _status_kib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is held now
    if how == "groups":
        match_softly(views, texts, members, 0.03, 100.0)
    else:
        match_at_once(views, texts, members)
    print((_status_kib("VmHWM") - before) // 1024)


def _status_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def _compare_attention(encoders: Encoders) -> tuple[str, ...]:
    pictures, ids = random_pictures(8), [str(number) for number in range(8)]
    texts = random_texts(CLASSES, DESCRIPTIONS, encoders.backbone.embed_dim)
    method = MethodSettings(crops=4)
    own, backbones = (
        Classifier(chosen, texts, method, views_per_pass=256)
        for chosen in (encoders, replace(encoders, attention=None))
    )
    return _row(
        "attention of the CLIP tower instead of DINO's ViT-B/16, ViT-B/32, 4 crops",
        lambda: own.label(pictures, ids),
        lambda: backbones.label(pictures, ids),
    )


def _compare_batches(encoders: Encoders) -> tuple[str, ...]:
    pictures, ids = random_pictures(8), [str(number) for number in range(8)]
    texts = random_texts(CLASSES, DESCRIPTIONS, encoders.backbone.embed_dim)
    classifier = Classifier(encoders, texts, MethodSettings(crops=4), views_per_pass=256)

    def one_by_one() -> torch.Tensor:
        found = [
            classifier.label([picture], [image_id])[0]
            for picture, image_id in zip(pictures, ids, strict=True)
        ]
        return torch.tensor([label.score for label in found])

    return _row(
        "crops of 8 images in one pass, ViT-B/32, 4 crops",
        one_by_one,
        lambda: torch.tensor([label.score for label in classifier.label(pictures, ids)]),
    )


def _row(
    what: str, without: Callable[[], object], with_: Callable[[], object], *, normalise: bool = False
) -> tuple[str, ...]:
    """A row of the table; the results are compared where they are tensors."""
    before_s, after_s = measure_s(without, CPU), measure_s(with_, CPU)
    expected, found = without(), with_()
    apart = ""
    if isinstance(found, torch.Tensor) and isinstance(expected, torch.Tensor):
        expected = F.normalize(expected, dim=-1) if normalise else expected
        apart = f"{(found - expected).abs().max():.1e}"
    return what, f"{before_s:.2f}", f"{after_s:.2f}", f"{before_s / after_s:.2f}", apart


if __name__ == "__main__":
    print_matching_memory(sys.argv[1])
