import json
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from laketag.pipeline.classifier.pixels import cut_stacked_views, stack_images
from tests.golden.command import main
from tests.golden.read import read_golden
from tests.golden.tiny_reference import write_golden

HERE = Path(__file__).parent
RELEASED = [HERE / "vit_b16", HERE / "vit_l14"]
QUANTITIES = (
    "text embeddings",
    "attention",
    "top-k",
    "boxes",
    "crop pixels",
    "raw-crop embeddings",
    "feature-crop embeddings",
    "class scores",
    "logits",
)


@pytest.fixture(scope="module")
def grid_of_seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_golden(tmp_path_factory.mktemp("golden") / "vit_b32", patch_px=32, layers=3, block=2)


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_our_code_computes_what_the_released_code_computed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder)]) == 0
    printed = capsys.readouterr().out
    assert all(quantity in printed for quantity in QUANTITIES)
    assert "FAIL" not in printed


@pytest.mark.parametrize(
    ("patch_px", "block", "dino_patch_px"),
    [(14, 1, 16), (16, 0, 16), (28, 2, 16), (32, 1, 32)],
    ids=["grid 16", "grid 14 at the first block", "grid 8", "grid 7 with 7 × 7 attention"],
)
def test_any_grid_and_any_block_agree_with_a_plain_loop(
    patch_px: int, block: int, dino_patch_px: int, tmp_path: Path
) -> None:
    folder = write_golden(
        tmp_path / "golden", patch_px=patch_px, layers=3, block=block, dino_patch_px=dino_patch_px
    )
    assert main([str(folder)]) == 0


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_crops_cut_as_on_a_gpu_give_the_released_embeddings(folder: Path) -> None:
    golden = read_golden(folder)
    stacks = list(stack_images(golden.images, torch.device("cpu")))
    preprocessing = golden.backbone.preprocessing
    for index, of_image in enumerate(golden.manifest["images"]):
        boxes = np.array(of_image["raw_crop_boxes_xyxy"])
        views = cut_stacked_views(stacks, [index] * len(boxes), boxes, preprocessing, torch.float32)
        ours = golden.backbone.encode_image(preprocessing.normalise(views)).numpy()
        np.testing.assert_allclose(ours, golden.expected[f"{index}/raw_crop_embeddings"], atol=1e-3)


def test_the_command_exits_with_the_verdict(grid_of_seven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tests.golden", str(grid_of_seven)])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("tests.golden", run_name="__main__")  # python -m, without starting torch anew
    assert exit_.value.code == 0


@pytest.mark.parametrize(
    ("key", "by"),
    [
        ("text/cat/descriptions", 1e-4),
        ("text/red car/label", 1e-4),
        ("1/attention", 1e-3),
        ("0/topk_values", 1e-3),
        ("0/crop_pixels_mean", 1e-3),
        ("2/raw_crop_embeddings", 1e-4),
        ("1/feature_crop_embeddings", 1e-4),
        ("0/crop_class_scores", 1.0),
        ("1/logits", 1.0),
    ],
)
def test_a_number_that_was_tampered_with_fails(
    grid_of_seven: Path, tmp_path: Path, key: str, by: float
) -> None:
    folder = shutil.copytree(grid_of_seven, tmp_path / "tampered")
    with np.load(folder / "expected.npz") as archive:
        numbers = dict(archive)
    numbers[key].flat[-1] += by
    np.savez(folder / "expected.npz", **numbers)
    assert main([str(folder)]) == 1


@pytest.mark.parametrize(("pixels", "code"), [(1, 0), (2, 1)])
def test_a_box_may_differ_by_one_pixel(grid_of_seven: Path, tmp_path: Path, pixels: int, code: int) -> None:
    folder = shutil.copytree(grid_of_seven, tmp_path / "moved")
    manifest = json.loads((folder / "manifest.json").read_text())
    box = manifest["images"][0]["raw_crop_boxes_xyxy"][0]
    box[2] -= pixels
    (folder / "manifest.json").write_text(json.dumps(manifest))
    deviations = _failing(folder)
    assert ("boxes" in deviations) is bool(code)


@pytest.mark.parametrize("arguments", [[], ["/nowhere"]])
def test_without_a_golden_folder_the_command_exits_with_2_and_a_message(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err


def _failing(folder: Path) -> set[str]:
    from tests.golden.compare import compare

    return {deviation.quantity for deviation in compare(read_golden(folder)) if not deviation.ok}
