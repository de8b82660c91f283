import polars as pl
import pytest

from laketag.pipeline.evaluation.published import Published
from laketag.pipeline.evaluation.summary import compare_pairs, summarise
from laketag.pipeline.evaluation.tables import main_table, markdown, rule_sentences, sentences
from tests.evaluation.results import METHODS, random_results

RESULTS = random_results()
SUMMARY = summarise(RESULTS, METHODS)
PAIRS = compare_pairs(RESULTS, ["clip", "wca", "abs"])


def test_the_table_has_the_published_figure_beside_ours_and_compares_with_one_method() -> None:
    rows = main_table(SUMMARY, PAIRS, Published({"wca": 52.79}), "abs")
    assert [row["published"] for row in rows] == ["", "52.79", ""]
    assert rows[0]["top-1 %"] == f"{100 * SUMMARY['top1'][0]:.1f}"
    assert "±" in rows[1]["top-1 %"]
    difference = 100 * (SUMMARY["top1"][0] - SUMMARY["top1"][2])
    assert rows[0]["vs abs"] == f"{difference:+.1f} (p < 0.001)"
    assert rows[2]["vs abs"] == ""
    first = RESULTS.filter(pl.col("seed") == 0, pl.col("failure").is_null())
    labels = [first.filter(pl.col("method") == name)["label"] for name in ("wca", "abs")]
    assert [row["as abs %"] for row in rows[1:]] == [f"{100 * (labels[0] == labels[1]).mean():.1f}", "100.0"]


def test_the_same_difference_is_stated_from_both_sides() -> None:
    towards_clip = main_table(SUMMARY, PAIRS, Published({}), "clip")
    assert towards_clip[2]["vs clip"].startswith("+")


def test_markdown_has_a_line_for_each_method() -> None:
    lines = markdown(main_table(SUMMARY, PAIRS, Published({}), "abs")).splitlines()
    assert lines[0].startswith("| method | top-1 % |")
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ("abs", ["ABS is better than CLIP (+", "ABS is better than WCA (+"]),
        ("clip", ["CLIP is worse than WCA ("]),
        ("wca", ["WCA is better than CLIP (+"]),
    ],
)
def test_sentences_say_who_is_better_and_when_that_cannot_be_told(kept: str, expected: list[str]) -> None:
    found = sentences(SUMMARY, PAIRS, kept)
    assert [one[: len(begin)] for one, begin in zip(found, expected, strict=True)] == expected
    few = RESULTS.filter(pl.col("image_id") < "006")
    pairs = compare_pairs(few, ["clip", "wca", "abs"])
    assert all("is not told apart from" in one for one in sentences(summarise(few, METHODS), pairs, kept))


def test_each_variant_of_the_descriptions_is_compared_with_all_texts_of_the_same_method() -> None:
    names = {"clip": "abs/other_class", "wca": "abs/filtered", "abs": "abs/unfiltered"}
    results = RESULTS.with_columns(pl.col("method").replace(names))
    methods = METHODS.with_columns(pl.col("method").replace(names))
    found = rule_sentences(summarise(results, methods), compare_pairs(results, list(names.values())))
    assert [one[:26] for one in found] == ["CLIP: worse than all texts", "WCA: worse than all texts "]
    assert rule_sentences(SUMMARY, PAIRS) == []
