"""ABS in a plain loop against laketag in fp32 and bf16, and each way to save work on and off: ratios within one process.

The plain loop is tests/classifier/naive_abs.py: one crop at a time, cut by Pillow, through whole blocks, in fp32. Random
weights and two threads or more; FLOP are those of laketag's path, and their rate is compared with torch.mm's.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
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
from tests.benches.rows import Row, seconds_row
from tests.classifier import naive_abs

CROPS, IMAGES, CLASSES, DESCRIPTIONS = 50, 2, 20, 5
CPU = torch.device("cpu")
MATRIX = 4096
SENTENCE_WORDS = range(8, 28)
MATCHED_IMAGES, MATCHED_CLASSES, MATCHED_DESCRIPTIONS, DIM = 64, 1000, 50, 512
BATCHES = (1, 8, 32)
THREADS = os.cpu_count() or 1


def compare_with_a_plain_loop(architecture: str) -> Iterator[Row]:
    """Seconds an image of the plain loop and of laketag, in fp32 and bf16, and the share of the machine's own matrix rate.

    Each image goes once through the plain loop, and twice through laketag: to warm up and count FLOP, and for the time.
    """
    torch.set_num_threads(THREADS)
    encoders = random_encoders(architecture, "fp32", CPU)
    texts = random_texts(CLASSES, DESCRIPTIONS, encoders.backbone.embed_dim)
    pictures, ids = random_pictures(IMAGES), [str(number) for number in range(IMAGES)]
    with torch.inference_mode():
        models = plain_models(encoders)
        began = time.perf_counter()
        plain = []
        for picture, image_id in zip(pictures, ids, strict=True):
            members = texts.class_index.tolist()
            method = MethodSettings(crops=CROPS)
            found = naive_abs.label_image(
                picture, image_id, models, texts.embeddings, members, CLASSES, method
            )
            plain.append(texts.class_names[found.label])
        plain_s = (time.perf_counter() - began) / IMAGES
    print(f"# {architecture}, plain loop: {plain_s:.1f} s an image", flush=True)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        rate = matrix_rate(dtype, CPU, MATRIX)
        if precision != "fp32":
            encoders = random_encoders(architecture, precision, CPU)
        classifier = Classifier(
            encoders, texts, MethodSettings(crops=CROPS), views_per_pass=256, threads=THREADS
        )
        flop = count_flop(lambda: classifier.label(pictures, ids)) / IMAGES  # noqa: B023  # called at once
        began = time.perf_counter()
        labels = [label.label for label in classifier.label(pictures, ids)]
        seconds = (time.perf_counter() - began) / IMAGES
        same = sum(one == other for one, other in zip(labels, plain, strict=True))
        yield seconds_row(
            f"ABS, {architecture}, {CROPS} crops of each kind: plain loop in fp32 → laketag in {precision}, an image",
            plain_s,
            seconds,
            f"{flop / 1e9:.0f} GFLOP an image, {flop / seconds / rate:.0%} of torch.mm's {rate / 1e9:.0f} GFLOP/s; "
            f"same label: {same} of {IMAGES}",
        )


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
def compare_text_towers() -> Iterator[Row]:
    """Texts cut to their longest token, against all 77."""
    encoders = _encoders()
    texts = sorted("word " * SENTENCE_WORDS[number % len(SENTENCE_WORDS)] for number in range(128))
    clip: Any = encoders.backbone._clip
    ids, _ = encoders.backbone.tokenize(texts)
    batches = [ids[start : start + 32] for start in range(0, len(ids), 32)]
    yield _row(
        "text tower of ViT-B/32 on 10 to 29 of 77 tokens",
        lambda: torch.cat([F.normalize(clip.encode_text(batch), dim=-1) for batch in batches]),
        lambda: torch.cat([F.normalize(encode_tokens(clip, batch), dim=-1) for batch in batches]),
    )


def _encoders() -> Encoders:
    torch.set_num_threads(THREADS)
    return random_encoders("ViT-B-32", "fp32", CPU)


def _matched(images: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    views = F.normalize(torch.randn(images, 2 * CROPS, DIM, generator=generator), dim=-1)
    texts = random_texts(MATCHED_CLASSES, MATCHED_DESCRIPTIONS, DIM).embeddings
    return views, texts, torch.arange(len(texts)).view(MATCHED_CLASSES, MATCHED_DESCRIPTIONS)


def match_at_once(views: torch.Tensor, texts: torch.Tensor, members: torch.Tensor) -> torch.Tensor:
    """Scores from the softmax over all texts, with all similarities in memory."""
    similarity = views @ texts.T / 0.03
    return (similarity.softmax(dim=-1) * similarity).sum(dim=1)[:, members].sum(dim=-1)


@torch.inference_mode()
def compare_matching() -> Iterator[Row]:
    """Groups of classes, against all similarities at once."""
    torch.set_num_threads(THREADS)
    views, texts, members = _matched(8)
    yield _row(
        f"soft matching in groups, 8 images × {2 * CROPS} views × {len(texts):,} texts",
        lambda: match_at_once(views, texts, members),
        lambda: match_softly(views, texts, members, 0.03, 100.0).scores,
    )


def compare_matching_memory() -> Iterator[Row]:
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
    yield Row(
        what=f"memory of soft matching, {MATCHED_IMAGES} images, all at once → in groups",
        without=f"{peaks[0]:,} MiB",
        with_=f"{peaks[1]:,} MiB",
        ratio=f"{peaks[0] / max(1, peaks[1]):.1f}",
    )


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


def compare_attention() -> Iterator[Row]:
    """The attention model, and the CLIP tower's own attention instead."""
    encoders = _encoders()
    pictures, ids = random_pictures(8), [str(number) for number in range(8)]
    texts = random_texts(CLASSES, DESCRIPTIONS, encoders.backbone.embed_dim)
    method = MethodSettings(crops=4)
    own, backbones = (
        Classifier(chosen, texts, method, views_per_pass=256)
        for chosen in (encoders, replace(encoders, attention=None))
    )
    yield _row(
        "attention of the CLIP tower instead of DINO's ViT-B/16, ViT-B/32, 4 crops",
        lambda: own.label(pictures, ids),
        lambda: backbones.label(pictures, ids),
    )


def compare_batches() -> Iterator[Row]:
    """Crops of several images in one pass, against one image after the other."""
    encoders = _encoders()
    pictures, ids = random_pictures(8), [str(number) for number in range(8)]
    texts = random_texts(CLASSES, DESCRIPTIONS, encoders.backbone.embed_dim)
    classifier = Classifier(encoders, texts, MethodSettings(crops=4), views_per_pass=256)

    def one_by_one() -> torch.Tensor:
        found = [
            classifier.label([picture], [image_id])[0]
            for picture, image_id in zip(pictures, ids, strict=True)
        ]
        return torch.tensor([label.score for label in found])

    yield _row(
        "crops of 8 images in one pass, ViT-B/32, 4 crops",
        one_by_one,
        lambda: torch.tensor([label.score for label in classifier.label(pictures, ids)]),
    )


def compare_batch_memory() -> Iterator[Row]:
    """Peak memory of labelling a batch beyond the loaded models, of the largest batch over a single image."""
    peaks = {
        batch: int(
            subprocess.run(
                [sys.executable, "-m", "tests.benches.classifying", f"batch-{batch}"],
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        )
        for batch in BATCHES
    }
    yield Row(
        what=f"memory beyond the models, ViT-B/32, 16 crops: batches of {BATCHES[0]} → {BATCHES[-1]} images",
        without=f"{peaks[BATCHES[0]]:,} MiB",
        with_=f"{peaks[BATCHES[-1]]:,} MiB",
        ratio=f"{peaks[BATCHES[-1]] / max(1, peaks[BATCHES[0]]):.2f}",
        note=", ".join(f"{batch}: {peak:,} MiB" for batch, peak in peaks.items()),
    )


def print_batch_memory(batch: int) -> None:
    """Print by how many MiB labelling a batch raises the memory of this process at most."""
    encoders = _encoders()
    texts = random_texts(CLASSES, DESCRIPTIONS, encoders.backbone.embed_dim)
    classifier = Classifier(encoders, texts, MethodSettings(crops=16), views_per_pass=256, threads=THREADS)
    pictures, ids = random_pictures(batch), [str(number) for number in range(batch)]
    before = _status_kib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is held now
    classifier.label(pictures, ids)
    print((_status_kib("VmHWM") - before) // 1024)


def _row(what: str, without: Callable[[], object], with_: Callable[[], object]) -> Row:
    """The median seconds of both; the results are compared where they are tensors."""
    before_s, after_s = measure_s(without, CPU), measure_s(with_, CPU)
    expected, found = without(), with_()
    apart = ""
    if isinstance(found, torch.Tensor) and isinstance(expected, torch.Tensor):
        apart = f"largest difference {(found - expected).abs().max():.1e}"
    return seconds_row(what, before_s, after_s, apart)


if __name__ == "__main__":
    how = sys.argv[1]
    if how.startswith("batch-"):
        print_batch_memory(int(how.removeprefix("batch-")))
    else:
        print_matching_memory(how)
