"""The pages get the figures of the largest evaluation, between their marks."""

from pathlib import Path

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.evaluation.published import Published
from laketag.pipeline.evaluation.summary import compare_pairs, summarise
from laketag.pipeline.evaluation.tables import main_table, markdown
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.lake.paths import Lake, open_lake
from tests.benches.drawings import COMMAND, LEVELS, write_pages
from tests.evaluation.results import METHODS, random_results

MARKS = f"<!-- {COMMAND} -->\nnot yet\n<!-- end of {COMMAND} -->"


def write_evaluation(lake: Lake, name: str, images: int) -> pl.DataFrame:
    results = random_results()
    results = results.filter(
        pl.col("image_id").is_in(results["image_id"].unique().sort().head(images).implode())
    )
    number = pl.col("image_id").rank("dense") % len(LEVELS)
    levels = pl.concat_str(number.replace_strict(dict(enumerate(LEVELS))), pl.lit("-"), pl.col("image_id"))
    results = results.with_columns(uri=pl.concat_str(pl.lit("/pictures/"), levels, pl.lit(".jpg")))
    evaluation = Evaluation(lake, name, "drawings")
    evaluation.write_results(results)
    summary = summarise(results, METHODS)
    table = main_table(summary, compare_pairs(results, METHODS["method"].to_list()), Published({}), "abs")
    evaluation.write_report(
        summary, {}, {"table.md": f"# {name}\n\n{markdown(table)}".encode(), "accuracy.svg": name.encode()}
    )
    return results


def test_the_pages_have_the_tables_and_the_plot_of_the_largest_evaluation(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    results = write_evaluation(lake, "drawings-b", 60)
    write_evaluation(lake, "drawings-z", 9)
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    for page in ("README.md", "docs/evaluation.md"):
        (tmp_path / page).write_text(f"before\n{MARKS}\nafter\n")
    write_pages(lake, tmp_path)
    docs, readme = (tmp_path / "docs/evaluation.md").read_text(), (tmp_path / "README.md").read_text()
    for text in (docs, readme):
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert "not yet" not in text
        assert "| ABS |" in text
    assert (tmp_path / "docs/pictures/evaluation-paper.svg").read_text() == "drawings-b"
    easy = results.filter(pl.col("uri").str.contains("/easy-") & pl.col("label").is_not_null())
    of_abs = easy.filter(pl.col("method") == "abs")
    right = of_abs.filter(pl.col("label") == pl.col("true_class")).height
    accuracy = f"{100 * right / of_abs.height:.1f}"
    assert f"easy ({easy['image_id'].n_unique()})" in docs
    assert f"| ABS | {accuracy} |" in docs
