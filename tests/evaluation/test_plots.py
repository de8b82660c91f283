import xml.etree.ElementTree as ElementTree

from laketag.pipeline.evaluation.plots import can_plot, draw_plots
from laketag.pipeline.evaluation.summary import summarise
from tests.evaluation.results import METHODS, random_results


def test_three_plots_are_pictures_that_show_every_method() -> None:
    assert can_plot()
    results = random_results(40)
    plots = draw_plots(results, summarise(results, METHODS))
    assert sorted(plots) == ["accuracy.svg", "reliability.svg", "risk-coverage.svg"]
    for name, svg in plots.items():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        for method in ("clip", "wca", "abs") if name == "accuracy.svg" else ("CLIP", "WCA", "ABS"):
            assert f"<!-- {method} -->".encode() in svg
    assert draw_plots(results, summarise(results, METHODS))["accuracy.svg"].count(b"<!--") == plots[
        "accuracy.svg"
    ].count(b"<!--")
