"""The shipped model loads offline and does what its card says."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import laketag.demo
from laketag.demo.objects import CLASS_NAMES
from laketag.demo.training.captions import Captions
from laketag.demo.training.evaluate import LABEL_PROMPT, accuracy
from laketag.demo.training.pool import ScenePool, draw_pool
from laketag.pipeline.models.libraries import open_clip

MODEL = Path(laketag.demo.__file__).parent / "model"
WEIGHTS = MODEL / "open_clip_model.safetensors"
FRESH_SEED = 77  # scenes that neither training, dev nor test set holds


@pytest.fixture(scope="module")
def model() -> open_clip.CLIP:
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{MODEL}")
    return model.eval()


@pytest.fixture(scope="module")
def easy_scenes() -> ScenePool:
    return draw_pool("test", "easy", 320, seed=FRESH_SEED, processes=1)


def _label_features(model: open_clip.CLIP, prompt: str) -> torch.Tensor:
    tokenize = open_clip.get_tokenizer(f"local-dir:{MODEL}")
    with torch.inference_mode():
        return model.encode_text(tokenize([prompt.format(name) for name in CLASS_NAMES]), normalize=True)


def test_the_weights_are_half_precision_and_at_most_ten_megabytes() -> None:
    assert WEIGHTS.stat().st_size <= 10_000_000
    with safe_open(WEIGHTS, "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.float16}  # noqa: SIM118


def test_token_rows_that_training_never_saw_are_zero_and_the_others_are_not() -> None:
    with safe_open(WEIGHTS, "pt") as weights:
        rows = weights.get_tensor("token_embedding.weight").float().norm(dim=1)
    seen = torch.from_numpy(Captions().token_ids)
    seen = seen[seen > 0]  # 0 also pads, and stays zero
    assert torch.equal(rows.nonzero().flatten(), seen)


def test_one_plain_view_of_easy_scenes_is_mostly_right(model: open_clip.CLIP, easy_scenes: ScenePool) -> None:
    assert accuracy(model, _label_features(model, LABEL_PROMPT), easy_scenes) >= 0.75


def test_prompts_with_unknown_words_still_work(model: open_clip.CLIP, easy_scenes: ScenePool) -> None:
    prompt = "zebra quokka photo of a {}, which has xylophone lgbp."
    assert accuracy(model, _label_features(model, prompt), easy_scenes) >= 0.75


def test_small_objects_are_much_harder_than_those_of_the_training(
    model: open_clip.CLIP, easy_scenes: ScenePool
) -> None:
    labels = _label_features(model, LABEL_PROMPT)
    hard = draw_pool("test", "hard", 320, seed=FRESH_SEED, processes=1)
    assert accuracy(model, labels, easy_scenes) > accuracy(model, labels, hard) + 0.2
