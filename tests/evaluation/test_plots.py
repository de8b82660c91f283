import xml.etree.ElementTree as ElementTree

from laketag.pipeline.evaluation.plots import can_plot, draw_plots
from laketag.pipeline.evaluation.summary import compare_pairs, summarise
from tests.evaluation.results import METHODS, random_results


def test_four_plots_are_pictures_that_show_every_method() -> None:
    assert can_plot()
    results = random_results(40)
    found = summarise(results, METHODS), compare_pairs(results, ["clip", "wca", "abs"])
    plots = draw_plots(results, *found, "abs")
    assert sorted(plots) == ["accuracy.svg", "agreement.svg", "reliability.svg", "risk-coverage.svg"]
    for name, svg in plots.items():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        for method in ("clip", "wca", "abs") if name[0] == "a" else ("CLIP", "WCA", "ABS"):
            assert f"<!-- {method} -->".encode() in svg
    assert draw_plots(results, *found, "abs")["accuracy.svg"].count(b"<!--") == plots["accuracy.svg"].count(
        b"<!--"
    )
