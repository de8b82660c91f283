"""``laketag describe``: what it prints, writes and refuses."""

import io
import json
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from laketag.jobs.describe import show_dropped_texts, show_summary
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.descriptions.formats import Detected
from laketag.pipeline.descriptions.reading import ClassSentences
from laketag.pipeline.flows.describe_classes import DescribedSet
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_descriptions_table
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.class_texts import load_class_texts
from tests.end_to_end.command_line import must_run, one_line, run_laketag, spawn_laketag

ROWS = [  # class, position, text, drop reason, truncated
    ("cat", -1, "a photo of a cat.", None, False),
    ("cat", 0, "A cat has whiskers.", None, True),
    ("cat", 1, "A cat has whiskers.", "exact_duplicate", False),
    ("dog", -1, "a photo of a dog.", None, False),
    ("dog", 0, "A dog barks [loudly].", None, False),
    ("owl", -1, "a photo of an owl.", None, False),
    ("owl", 0, "a photo of an owl.", None, False),
]


def described(*, is_new: bool = True) -> DescribedSet:
    rows = pl.DataFrame(ROWS, ["class_name", "position", "text", "drop_reason", "truncated"], orient="row")
    own = {
        "cat": ("A cat has whiskers.", "A cat has whiskers."),
        "dog": ("A dog barks [loudly].",),
        "owl": (),
    }
    sentences = ClassSentences(own, Detected("cupl", "it is"), ())
    return DescribedSet(
        description_set="animals",
        version="v1",
        url="lake/d.parquet",
        is_new=is_new,
        rows=rows,
        sentences=sentences,
        embedded=0,
        alike_classes=[("cat", "owl")],
    )


def test_texts_are_counted_by_what_became_of_them() -> None:
    console = Console(file=io.StringIO(), width=100, markup=False)
    show_summary(described(), Screen(console))
    show_dropped_texts(described(), console)
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines == [
        "set animals, version v1",
        "classes 3",
        "without a kept text 1",
        "texts read 3",
        "kept 2",
        "dropped, exact_duplicate 1",
        "kept, but cut at the context's length 1",
        "described by their label prompt alone: 'owl'",
        "the model can hardly tell these classes apart: 'cat', 'owl'",
        "descriptions: lake/d.parquet",
        "class reason text",
        "cat exact_duplicate A cat has whiskers.",
    ]


def test_bare_classes_are_found_among_very_many() -> None:  # a set built for each class would take hours
    names = [f"class {number}" for number in range(100_000)]
    rows = pl.DataFrame(
        {"class_name": names, "position": 0, "text": "a", "drop_reason": None},
        schema_overrides={"drop_reason": pl.String},
    )
    sentences = ClassSentences(dict.fromkeys([*names, "owl"], ("a",)), Detected("cupl", "it is"), ())
    many = DescribedSet(
        description_set="many",
        version="v1",
        url="d.parquet",
        is_new=True,
        rows=rows,
        sentences=sentences,
        embedded=0,
        alike_classes=[],
    )
    assert many.bare_classes == ["owl"]


def test_a_set_with_the_same_content_is_reported_as_nothing_to_do() -> None:
    console = Console(file=io.StringIO(), width=100, markup=False)
    show_summary(described(is_new=False), Screen(console))
    assert "nothing to do: the newest version of the set has the same content" in console.file.getvalue()  # type: ignore[attr-defined]


FLAWED = {
    "kettle": [],
    "cafe\u0301": ["A café has tables and a counter.", "It smells of coffee."],
    "Bar": ["A bar has bottles and a counter.", "Its {} stools are high."],
    "bar": ["Bottles stand behind it.", "It is open late."],
    "counter": ["It is long.", "It is made of wood."],
}


def write(folder: Path, content: object, name: str = "texts.json") -> str:
    (folder / name).write_text(json.dumps(content))
    return str(folder / name)


def describe(file: str, root: Path, settings: Path, *more: str) -> tuple[str, ...]:
    return ("describe", file, "--root", str(root), "-s", "s", "--settings", str(settings), *more)


@pytest.mark.usefixtures("joined_ray")
def test_flaws_are_repaired_counted_and_named_and_every_class_has_a_text(
    tmp_path: Path, tiny_settings: Path
) -> None:
    command = describe(write(tmp_path, FLAWED), tmp_path / "lake", tiny_settings, "--show-dropped")
    printed = one_line(must_run(*command))
    assert (
        "1 text with a stray {}, which is removed: class 'Bar', text 2 'Its {} stools are high.'" in printed
    )
    assert "classes 5 without a kept text 1 texts read 8 kept 6 dropped, names_another_class 2" in printed
    assert "described by their label prompt alone: 'kettle'" in printed
    assert "the model can hardly tell these classes apart: " in printed
    assert "'Bar', 'bar'" in printed  # CLIP's tokenizer has small letters only
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    rows = read_descriptions_table(lake, "s", latest_embedded_set(lake, "s").version)
    kept = rows.filter(pl.col("drop_reason").is_null(), pl.col("position") >= 0)
    assert kept.group_by("class_name", maintain_order=True).agg("text").rows() == [
        ("kettle", ["a photo of a kettle."]),
        ("café", ["It smells of coffee."]),
        ("Bar", ["Its stools are high."]),
        ("bar", ["Bottles stand behind it.", "It is open late."]),
        ("counter", ["It is long.", "It is made of wood."]),
    ]
    texts = load_class_texts(lake, "s", latest_embedded_set(lake, "s").version)
    assert texts.class_index.unique().tolist() == list(range(5))

    repeated = run_laketag(*command, "--json")
    again = one_line(repeated.err)
    assert "nothing to do: the newest version of the set has the same content" in again
    assert "classes 5 without a kept text 1 texts read 8 kept 6" in again
    found = json.loads(repeated.out)
    assert (found["exit_code"], found["is_new"], found["error"]) == (0, False, None)
    assert (found["classes"], found["texts"], found["kept"], found["bare_classes"]) == (5, 8, 6, ["kettle"])


@pytest.mark.usefixtures("without_ray")
def test_published_files_are_kept_whole_without_the_filter_and_their_faults_are_counted(
    tmp_path: Path,
) -> None:
    """All of it is said before the model, which does not exist here, is looked up."""
    published = {
        "kettle": [],
        "rain_gauge": ["A narrow barrel.", "A barrel on a {} post."],
        "barrel": ["Staves of wood.", "Staves of wood.", "Hoops of iron."],
        "ladder": ["Rails."],
    }
    (tmp_path / "only.txt").write_text("barrel\nrain gauge\nkettle\nlamp\n")
    settings = tmp_path / "settings.toml"
    settings.write_text('[backbone]\npretrained = "local-dir:/nowhere"\n')
    command = describe(write(tmp_path, published), tmp_path / "lake", settings, "--format", "cupl")
    done = run_laketag(*command, "--no-filter", "--only", str(tmp_path / "only.txt"))
    said = one_line(done.out)
    assert done.code == 3
    assert (
        "3 text(s) are kept that the filter would drop (2 names_another_class, 1 exact_duplicate), among them all texts of "
        "1 class(es): 'rain_gauge'"
    ) in said
    assert "1 text with a stray {}, which is removed: class 'rain_gauge', text 2" in said
    assert "1 of 4 classes are left out, as --only" in said
    assert "1 classes of --only" in said
    assert "are kept that the filter would drop" not in one_line(run_laketag(*command).out)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            {"kettle": [], "ladder": ["rails", "rungs"]},
            "class 'kettle' has no description left (it has no text)",
        ),
        (FLAWED, "class 'Bar', text 2 'Its {} stools are high.'"),
    ],
)
def test_strict_refuses_instead(content: object, says: str, tmp_path: Path, tiny_settings: Path) -> None:
    command = describe(write(tmp_path, content), tmp_path / "lake", tiny_settings, "--strict", "--json")
    done = run_laketag(*command)
    assert done.code == 2
    assert says in one_line(done.err)
    found = json.loads(done.out)
    assert (found["exit_code"], found["resumable"], says in found["error"]) == (2, False, True)
    assert not (tmp_path / "lake").exists()


def test_the_file_is_read_before_the_model_is_looked_up_and_ray_is_started(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[backbone]\npretrained = "local-dir:/nowhere"\n')
    half = {"cat": ["a {} purrs.", "A cat."], "dog": ["A dog."]}
    done = run_laketag(*describe(write(tmp_path, half), tmp_path / "lake", settings))
    assert (done.code, "1 of 3 texts are templates" in one_line(done.err)) == (2, True)
    no_ray = {"RAY_ADDRESS": "127.0.0.1:9"}  # to look for it first would end with 8
    done = spawn_laketag(*describe(write(tmp_path, FLAWED), tmp_path / "lake", settings), env=no_ray)
    assert done.code == 3
