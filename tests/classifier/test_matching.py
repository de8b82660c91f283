import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from laketag.pipeline.classifier.class_texts import padded_positions
from laketag.pipeline.classifier.matching import SIMILARITIES_AT_ONCE, match_plainly, match_softly
from laketag.pipeline.config import MethodSettings
from tests.classifier import naive_abs

LOGIT_SCALE = 100.0
CLASS_OF = st.lists(st.integers(0, 4), min_size=1, max_size=12)


def unit(seed: int, *shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@given(class_of=CLASS_OF, views=st.integers(1, 5), seed=st.integers(0, 99), softly=st.booleans())
def test_scores_are_the_double_sum_of_the_paper_and_probabilities_follow_them(
    class_of: list[int], views: int, seed: int, softly: bool
) -> None:
    class_of = [sorted(set(class_of)).index(index) for index in class_of]  # every class has a text
    classes = max(class_of) + 1
    seen, texts = unit(seed, 2, views, 8), unit(seed + 1, len(class_of), 8)
    members = padded_positions(torch.tensor(class_of), classes)
    method = MethodSettings(soft_matching=softly)
    temperature = (method.matching_temperature,) if softly else ()
    found = (match_softly if softly else match_plainly)(seen, texts, members, *temperature, LOGIT_SCALE)
    for image in range(2):
        scores, contributions = naive_abs.match(list(seen[image]), texts, class_of, classes, method)
        assume(abs(max(scores)) > 1e-3)  # probabilities differ by whether the best score is positive
        assert found.scores[image].tolist() == pytest.approx(scores, rel=1e-4, abs=1e-4)
        probabilities = naive_abs.share(scores, views, method, LOGIT_SCALE)
        assert found.probabilities[image].tolist() == pytest.approx(probabilities, abs=1e-4)
        label = int(found.scores[image].argmax())
        chosen = contributions[int(found.evidence_view[image]), int(found.evidence_text[image])]
        assert class_of[int(found.evidence_text[image])] == label
        assert chosen >= max(v for (_, d), v in contributions.items() if class_of[d] == label) - 1e-4


@pytest.mark.parametrize("views", [3, SIMILARITIES_AT_ONCE // 2, SIMILARITIES_AT_ONCE])
def test_groups_of_classes_give_the_softmax_over_all_texts(views: int) -> None:
    """All classes in one group, two texts in a group, and one class in a group although it has more texts."""
    members = padded_positions(torch.tensor([2, 0, 1, 2, 2, 0]), 3)
    seen, texts = unit(1, 1, views, 4), unit(2, 6, 4)
    similarity = (seen[0] @ texts.T / 0.03).double()
    contributions = similarity.softmax(dim=1) * similarity
    of_class = torch.stack([contributions[:, own[own >= 0]].sum() for own in members])
    found = match_softly(seen, texts, members, 0.03, LOGIT_SCALE)
    torch.testing.assert_close(found.scores[0].double(), of_class, rtol=1e-5, atol=1e-4)
    best = contributions[:, members[int(of_class.argmax())]].max()
    assert contributions[int(found.evidence_view), int(found.evidence_text)] >= best - 1e-4
