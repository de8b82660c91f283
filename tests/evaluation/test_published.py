from pathlib import Path

import pytest

from laketag.pipeline.config import BackboneSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.evaluation.published import BENCHMARKS, METHODS, TOP1_PERCENT, find_published

OPENAI = BackboneSettings()


def test_figures_are_shown_for_their_benchmark_and_backbone_alone() -> None:
    assert find_published("dtd", OPENAI).top1_percent["wca"] == 52.79
    assert find_published("imagenet-a", OPENAI).top1_percent == {"wca": 56.13}
    assert find_published("dtd", BackboneSettings(name="ViT-B-32")).top1_percent == {}
    assert find_published("mine", OPENAI).top1_percent == {}
    assert find_published(None, OPENAI).sources == ()


def test_the_ten_benchmarks_of_the_paper_are_there_and_wca_is_best_in_each() -> None:
    assert len(BENCHMARKS) == 10
    for figures in TOP1_PERCENT.values():
        assert len(figures) == len(METHODS)
        assert max(percent for percent in figures if percent is not None) == figures[-1]


def test_a_file_adds_figures_and_replaces_ours(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        "benchmark,backbone,method,top1_percent\n"
        "dtd,ViT-B-16/openai,abs,60.5\ndtd,ViT-B-16/openai,wca,50\ndtd,ViT-L-14/openai,abs,70\npets,ViT-B-16/openai,abs,90\n"
    )
    found = find_published("dtd", OPENAI, file)
    assert (found.top1_percent["abs"], found.top1_percent["wca"], found.top1_percent["clip"]) == (
        60.5,
        50,
        42.98,
    )
    assert found.sources[-1] == "mine.csv"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("benchmark,method\ndtd,abs\n", "lacks a column of benchmark, backbone, method, top1_percent"),
        (
            "benchmark,backbone,method,top1_percent\ndtd,x,abs,high\n",
            "line 2: top1_percent 'high' is no percentage",
        ),
        (
            "benchmark,backbone,method,top1_percent\ndtd,x,abs,160\n",
            "line 2: top1_percent '160' is no percentage",
        ),
        ("benchmark,backbone,method,top1_percent\ndtd,x,abs\n", "line 2: top1_percent None is no percentage"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "mine.csv"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=message):
        find_published("dtd", OPENAI, file)
