"""When images stop early, on random embeddings: what a sound stop promises, and what a confident one costs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from laketag.pipeline.classifier.methods import Matcher
from laketag.pipeline.classifier.stopping import StopRule, is_settled, student_quantile, use_crops
from laketag.pipeline.config import MethodSettings
from tests.classifier.scenes import CLASSES, EMBED_DIM, random_texts

IMAGES, CROPS = 6, 12
TEXTS = random_texts()


def matcher(softly: bool, temperature: float = 0.03) -> Matcher:
    method = MethodSettings(soft_matching=softly, matching_temperature=temperature)
    return Matcher(TEXTS, method, 100.0, torch.device("cpu"))


def drawn_views(seed: int, spread: float) -> torch.Tensor:
    """Crops of each image: around one text or another, and at the end, where nobody has looked yet, around a third."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(IMAGES, CROPS, EMBED_DIM, generator=generator)
    texts = torch.randint(len(TEXTS.embeddings), (IMAGES, 2), generator=generator)
    turn = torch.randint(1, CROPS, (IMAGES,), generator=generator)
    late = (torch.arange(CROPS) >= turn[:, None]).long()
    centres = TEXTS.embeddings[texts.gather(1, late)]
    return F.normalize(centres + spread * noise, dim=-1)


def rule(chosen: Matcher, *, round_crops: int = 1, confidence: float = 1.0) -> StopRule:
    return StopRule(CROPS, round_crops, confidence, chosen.reach)


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10_000),
    spread=st.sampled_from([0.0, 0.02, 0.1, 0.5]),
    softly=st.booleans(),
    temperature=st.sampled_from([0.01, 0.03, 1.0]),
    round_crops=st.integers(1, CROPS),
)
def test_a_class_that_cannot_be_overtaken_is_the_label_of_all_crops(
    seed: int, spread: float, softly: bool, temperature: float, round_crops: int
) -> None:
    chosen = matcher(softly, temperature)
    views = drawn_views(seed, spread)
    summands = chosen.contribute(views)
    used = use_crops(
        IMAGES, rule(chosen, round_crops=round_crops), lambda images, part: summands[images, part]
    )
    assert set(used) <= {*range(round_crops, CROPS, round_crops), CROPS}
    (full,) = chosen.match(views)
    for image, count in enumerate(used):
        (stopped,) = chosen.match(views[image : image + 1, : int(count)])
        assert int(stopped.scores.argmax()) == int(full.scores[image].argmax())


def test_a_class_that_cannot_be_overtaken_stops_an_image_before_its_last_crops() -> None:
    """Crops that all show one text: half of them outweigh the other half."""
    views = TEXTS.embeddings[:1].expand(1, CROPS, EMBED_DIM).contiguous()
    for softly in (True, False):
        chosen = matcher(softly)
        summands = chosen.contribute(views)
        (used,) = use_crops(1, rule(chosen), lambda images, part: summands[images, part])  # noqa: B023
        assert CROPS / 2 < used < CROPS


@pytest.mark.parametrize("softly", [True, False])
def test_no_crop_adds_more_to_a_lead_than_it_can_reach(softly: bool) -> None:
    chosen = matcher(softly, 0.2)
    apart = TEXTS.embeddings[:, None] - TEXTS.embeddings
    worst = F.normalize(apart.flatten(0, 1)[apart.flatten(0, 1).any(dim=1)], dim=-1)
    random = F.normalize(torch.randn(2000, EMBED_DIM, generator=torch.Generator().manual_seed(0)), dim=-1)
    summands = chosen.contribute(torch.cat([worst, random, TEXTS.embeddings, -TEXTS.embeddings])[None])[0]
    reach = chosen.reach(torch.arange(len(CLASSES)))
    for leader in range(len(CLASSES)):
        leads = (summands - summands[:, leader : leader + 1]).amax(dim=0)
        assert (leads <= reach[leader] * (1 + 1e-5) + 1e-6).all()


def test_rounds_ask_only_for_images_that_are_not_settled() -> None:
    summands = torch.zeros(3, CROPS, 2)
    summands[0, :, 0] = 1.0  # always the same
    summands[1] = torch.tensor([[1.0, 0.0], [0.0, 1.01]]).repeat(CROPS // 2, 1)  # never decided
    summands[2, :, 1] = torch.tensor([0.9, 1.1]).repeat(CROPS // 2)
    asked: list[tuple[list[int], slice]] = []

    def contribute(images: np.ndarray, part: slice) -> torch.Tensor:
        asked.append((images.tolist(), part))
        return summands[images, part]

    far = StopRule(CROPS, 5, 0.9, lambda leaders: torch.full((len(leaders), 2), 1e9))
    assert use_crops(3, far, contribute).tolist() == [5, CROPS, 5]
    assert asked == [([0, 1, 2], slice(0, 5)), ([1], slice(5, 10)), ([1], slice(10, CROPS))]


def test_a_confident_stop_is_wrong_as_rarely_as_it_says() -> None:
    """One look at 8 of 24 crops whose lead is small beside its spread; nearly all of these images would go on."""
    generator = np.random.default_rng(0)
    lead = generator.normal(0.0, 1.0, (40_000, 1)) + generator.normal(0.0, 2.0, (40_000, 24))
    seen = torch.from_numpy(np.stack([lead, np.zeros_like(lead)], axis=2)).float()
    for confidence in (0.8, 0.95):
        looked = StopRule(24, 8, confidence, lambda leaders: torch.full((len(leaders), 2), 1e9))
        stops = is_settled(seen[:, :8], looked)
        changed = seen[:, :8].sum(1).argmax(1) != seen.sum(1).argmax(1)
        wrong = float(changed[stops].float().mean())
        assert stops.float().mean() > 0.1
        assert wrong < 1 - confidence


def test_an_image_with_a_value_that_is_not_finite_is_never_settled() -> None:
    seen = torch.ones(3, 4, 2)
    seen[..., 1] = 0
    seen[1, 2, 1], seen[2, 0, 1] = torch.nan, -torch.inf
    near = StopRule(5, 4, 0.9, lambda leaders: torch.zeros(len(leaders), 2))
    assert is_settled(seen, near).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("confidence", "degrees", "expected"),
    [(0.9, 3, 1.638), (0.95, 3, 2.353), (0.9, 7, 1.415), (0.99, 7, 2.998), (0.975, 1000, 1.962)],
)
def test_quantiles_are_those_of_students_tables(confidence: float, degrees: int, expected: float) -> None:
    assert student_quantile(confidence, degrees) == pytest.approx(expected, rel=0.01)
    assert math.isfinite(student_quantile(confidence, 1))
