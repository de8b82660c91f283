"""Every method against plain loops in float64, and what none of them may depend on."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from laketag.pipeline.classifier.class_texts import padded_positions
from laketag.pipeline.classifier.method_names import Method, Rule
from laketag.pipeline.classifier.scoring import MatchedTexts, score_views, share_scores
from tests.classifier import naive_methods

TEMPERATURE, SCALE = 0.03, 20.0
RULES = get_args(Rule)
NEEDS_WHOLE = ("wca", "mode")
"""Rules to which the first view is the whole image."""


def method(rule: Rule) -> Method:
    return Method(rule, rule, ("whole", "raw"), "descriptions", rule, "test")


def unit(seed: int, *shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def texts(class_of: list[int], seed: int = 1) -> MatchedTexts:
    classes = max(class_of) + 1
    members = padded_positions(torch.tensor(class_of), classes)
    return MatchedTexts(unit(seed, len(class_of), 8), members, unit(seed + 1, classes, 8), TEMPERATURE, SCALE)


def by_class(matched: MatchedTexts) -> list[list[np.ndarray]]:
    vectors = matched.embeddings.double().numpy()
    return [[vectors[index] for index in row if index >= 0] for row in matched.members.tolist()]


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25, deadline=None)
@given(
    class_of=st.lists(st.integers(0, 4), min_size=1, max_size=14),
    crops=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_each_rule_is_its_formula(rule: Rule, class_of: list[int], crops: int, seed: int) -> None:
    class_of = [sorted(set(class_of)).index(index) for index in class_of]  # every class has a text
    matched, views = texts(class_of, seed), unit(seed + 7, 2, crops + 1, 8)
    found = score_views(method(rule), views, matched)
    prompts = list(matched.prompts.double().numpy())
    for image in range(2):
        seen = list(views[image].double().numpy())
        expected = naive_methods.score(rule, seen, by_class(matched), prompts, TEMPERATURE, SCALE)
        assert found[image].tolist() == pytest.approx(expected, rel=2e-3, abs=2e-4)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_crops_and_of_descriptions_changes_nothing(rule: Rule) -> None:
    class_of = [0, 1, 1, 2, 0, 2, 2, 1, 0]
    matched, views = texts(class_of), unit(3, 2, 6, 8)
    scores = score_views(method(rule), views, matched)
    first = 1 if rule in NEEDS_WHOLE else 0
    order = [*range(first), *reversed(range(first, 6))]
    assert score_views(method(rule), views[:, order], matched).allclose(scores, atol=1e-5)
    shuffled = [4, 8, 2, 0, 1, 7, 6, 3, 5]
    members = padded_positions(torch.tensor(class_of)[shuffled], 3)
    other = MatchedTexts(matched.embeddings[shuffled], members, matched.prompts, TEMPERATURE, SCALE)
    assert score_views(method(rule), views, other).allclose(scores, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_another_image_of_the_batch_changes_nothing(rule: Rule) -> None:
    matched, views = texts([0, 1, 1, 2]), unit(3, 3, 4, 8)
    alone = torch.cat([score_views(method(rule), views[[number]], matched) for number in range(3)])
    assert score_views(method(rule), views, matched).allclose(alone, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_with_one_view_and_one_description_every_rule_orders_classes_as_clip(rule: Rule) -> None:
    matched = texts([0, 1, 2, 3])
    view = F.normalize(
        matched.embeddings.sum(dim=0) + 0.3 * unit(5, 8), dim=-1
    )  # positive cosines, as CLIP's
    views = view.expand(1, 2 if rule in NEEDS_WHOLE else 1, 8)  # the whole image as its own crop
    scores = score_views(method(rule), views, matched)
    cosines = matched.embeddings @ view
    assert scores[0].argsort().tolist() == cosines.argsort().tolist()
    if method(rule).scores_are_cosines:
        assert scores[0].tolist() == pytest.approx(cosines.tolist(), abs=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_probabilities_are_shares_in_the_order_of_the_scores(rule: Rule) -> None:
    matched, views = texts([0, 1, 1, 2, 3, 4]), unit(3, 4, 5, 8)
    scores = score_views(method(rule), views, matched)
    shares = share_scores(method(rule), scores, 5, matched)
    assert shares.sum(dim=1).tolist() == pytest.approx([1.0] * 4)
    assert shares.argmax(dim=1).tolist() == scores.argmax(dim=1).tolist()


def test_uniform_weights_of_the_views_give_abs_divided_by_their_number() -> None:
    matched, view = texts([0, 1, 1, 2]), unit(3, 1, 1, 8)
    alike = view.expand(1, 5, 8)
    softly, weighted = (score_views(method(rule), alike, matched) for rule in ("soft", "entropy"))
    assert weighted.allclose(softly / 5, atol=1e-5)


def test_a_description_that_fits_badly_hardly_counts_when_trimmed() -> None:
    view = unit(0, 8)
    good = F.normalize(view + 0.2 * unit(1, 7, 8), dim=-1)
    matched = texts([0] * 8)
    embeddings = torch.cat([good, -view[None]])
    spoilt = MatchedTexts(embeddings, matched.members, matched.prompts, TEMPERATURE, SCALE)
    score = float(score_views(method("trim"), view[None, None], spoilt))
    assert score > float((good @ view).mean()) - 0.01
    assert float(score_views(method("mean"), view[None, None], spoilt)) < score - 0.2


def test_the_mode_leaves_an_outlying_view_out() -> None:
    centre = unit(0, 8)
    near = F.normalize(centre + 0.1 * unit(1, 9, 8), dim=-1)
    views = torch.cat([near, unit(9, 1, 8)])[None]
    matched = texts([0, 1])
    prototype = MatchedTexts(
        torch.stack([centre, views[0, -1]]), matched.members, matched.prompts, 0.03, SCALE
    )
    by_mode, by_mean = (score_views(method(rule), views, prototype)[0, 0] for rule in ("mode", "mean"))
    assert float(by_mode) > 0.99 > float(by_mean)
