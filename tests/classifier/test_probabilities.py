"""Probabilities against a plain computation, and what they are with few and many classes."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.classifier.matching import match_softly
from laketag.pipeline.classifier.probabilities import share_by_cosine, share_by_score
from laketag.pipeline.config import MethodSettings
from tests.classifier import naive_abs

VIEWS = 100
SOFTLY = MethodSettings()
PLAINLY = MethodSettings(soft_matching=False)
OPENAI, DEMO = 100.0, 13.0
"""Logit scales; at the default temperature the exponents are 3 and 1."""


def by_score(
    scores: Sequence[float], temperature: float = SOFTLY.matching_temperature, logit_scale: float = OPENAI
) -> list[float]:
    """As match_softly calls it."""
    exponent = max(1.0, temperature * logit_scale)
    found: list[float] = share_by_score(torch.tensor([scores]), VIEWS, exponent)[0].tolist()
    return found


def in_float32(scores: Sequence[float]) -> list[float]:
    """The numbers that the tensors hold."""
    return torch.tensor(scores).tolist()


def drawn(classes: int, low: float, high: float, seed: int = 0) -> list[float]:
    generator = torch.Generator().manual_seed(seed)
    return (low + (high - low) * torch.rand(classes, generator=generator)).tolist()


@pytest.mark.parametrize("classes", [1, 2, 100, 1000])
@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (1, 500), (-3, 3), (-500, 500), (-500, -1), (-1e-3, 1e-3), (-1e38, 1e38)]
)
@pytest.mark.parametrize("temperature", [1e-6, 0.03, 1.0, 1e6])
@pytest.mark.parametrize("logit_scale", [DEMO, OPENAI])
def test_shares_agree_with_a_plain_computation(
    classes: int, low: float, high: float, temperature: float, logit_scale: float
) -> None:
    scores = drawn(classes, low, high)
    method = MethodSettings(matching_temperature=temperature)
    expected = naive_abs.share(in_float32(scores), VIEWS, method, logit_scale)
    assert by_score(scores, temperature, logit_scale) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("classes", [1, 2, 100, 1000])
@pytest.mark.parametrize("logit_scale", [1.0, DEMO, OPENAI, 1e6])
def test_shares_of_cosines_agree_with_a_plain_computation(classes: int, logit_scale: float) -> None:
    scores = drawn(classes, -1, 1)
    expected = naive_abs.share(in_float32(scores), 1, PLAINLY, logit_scale)
    found = share_by_cosine(torch.tensor([scores]), logit_scale)[0].tolist()
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(
    scores=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=30),
    temperature=st.floats(1e-30, 1e30),
    softly=st.booleans(),
)
def test_probabilities_are_one_whole_in_the_order_of_the_scores(
    scores: list[float], temperature: float, softly: bool
) -> None:
    """In the float32 of the table too, where neighbours may become equal but never change places."""
    plainly = share_by_cosine(torch.tensor([scores]), OPENAI)[0].tolist()
    shares = np.array(by_score(scores, temperature) if softly else plainly)
    assert shares.sum() == pytest.approx(1)
    stored = shares.astype(np.float32)[np.argsort(scores, kind="stable")]
    assert stored[0] >= 0
    assert stored[-1] <= 1
    assert (np.diff(stored) >= 0).all()


def test_scores_that_are_not_positive_have_no_share_unless_all_are() -> None:
    assert by_score([5.0, -1.0, 0.0, -7.0]) == [1, 0, 0, 0]
    assert by_score([-50.0, -150.0]) == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    assert by_score([0.0, 0.0]) == [0.5, 0.5]


@pytest.mark.parametrize("temperature", [1e-30, 1e-6, 0.03, 1e6, 1e30])
def test_no_temperature_overflows(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    views, texts = (
        torch.nn.functional.normalize(torch.randn(*shape, generator=generator), dim=-1)
        for shape in ((2, VIEWS, 16), (1000, 16))
    )
    found = match_softly(views, texts, torch.arange(1000)[:, None], temperature, OPENAI)
    assert found.probabilities.isfinite().all()
    assert found.probabilities.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert found.probabilities.argmax(dim=1).equal(found.scores.argmax(dim=1))


@pytest.mark.parametrize(
    ("classes", "joint", "share"), [(2, 0.966, 1.000), (100, 0.221, 0.999), (1000, 0.027, 0.987)]
)
def test_one_class_that_fits_better_is_probable_among_any_number(
    classes: int, joint: float, share: float
) -> None:
    """50 descriptions a class; the cosines of one class are 0.3, all others 0.2 (docs/decisions/0015)."""
    cosines = torch.full((classes, 50), 0.2)
    cosines[0] = 0.3
    texts = torch.stack([cosines.flatten(), (1 - cosines.flatten() ** 2).sqrt()], dim=1)
    members = torch.arange(classes * 50).reshape(classes, 50)
    view = torch.tensor([1.0, 0.0]).expand(1, VIEWS, 2)
    found = match_softly(view, texts, members, 0.03, OPENAI)
    assert float(found.probabilities[0, 0]) == pytest.approx(share, abs=1e-3)
    mass = (cosines / 0.03).flatten().softmax(dim=0)[:50].sum()
    assert float(mass) == pytest.approx(joint, abs=1e-3)
