"""The variants of a set's texts: what each rule of the filter leaves, and the texts of a random other class."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from laketag.pipeline.classifier.choose_evaluation import ChosenEvaluation
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.flows.evaluate_images import hash_rules
from laketag.pipeline.flows.report_descriptions import suggest_for
from laketag.pipeline.flows.varied_texts import Varying, prepare_varied_texts, read_texts
from laketag.pipeline.lake.description_versions import new_version, write_descriptions
from laketag.pipeline.lake.embedded_texts import stage_embedded_texts
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_table
from laketag.pipeline.models.choose_backbone import ChosenBackbone
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from laketag.schemas import Descriptions

SET = [  # class, position, text, and why describe has dropped it
    ("dog", -1, "a dog", None),
    ("dog", 0, "A dog barks.", None),
    ("dog", 1, "A dog barks.", "exact_duplicate"),
    ("dog", 2, "A dog chases a cat.", "names_another_class"),
    ("dog", 3, "", "empty"),
    ("cat", -1, "a cat", None),
    ("cat", 0, "A cat meets a dog.", "names_another_class"),
    ("cat", 1, "a cat", None),  # which describes a class without a text of its own
]  # fmt: skip
SWAPPED = ["A cat barks.", "A cat chases a cat.", "A dog meets a dog."]
BACKBONE = ChosenBackbone(name="tiny", sha256="0" * 64, text_tower="tower", pickled_spec=b"")


def rows_of(texts: list[tuple[str, int, str, str | None]]) -> pl.DataFrame:
    """As rows of schemas.Descriptions; each text points in a direction of its own."""
    vectors = np.eye(16, dtype=np.float32).tolist()
    places = {
        text: place for place, text in enumerate(dict.fromkeys([text for _, _, text, _ in SET] + SWAPPED))
    }
    rows = [(*one[:3], 5, False, one[3], vectors[places[one[2]]]) for one in texts]
    return pl.DataFrame(rows, schema=Descriptions.create_empty().schema, orient="row")


@pytest.fixture
def varying(lake: Lake) -> Varying:
    """The set, and a lake that has all embeddings, so that no text tower is needed."""
    made = EmbeddedSet(
        name="pets",
        version=new_version(lake, "pets", "a" * 16),
        backbone="tiny",
        backbone_sha256="0" * 64,
        label_prompt="a {}",
    )
    write_descriptions(lake, made, rows_of(SET), BACKBONE.text_tower_sha256)
    stage_embedded_texts(
        lake,
        rows_of([("dog", number, text, None) for number, text in enumerate(SWAPPED)]),
        BACKBONE.text_tower_sha256,
    )
    chosen = ChosenEvaluation(BACKBONE, b"", {}, {})
    return Varying(
        Evaluation(lake, "photos-1", "photos"), made, chosen, Settings(), Screen(Console(file=io.StringIO()))
    )


def test_further_seeds_write_their_own_texts_and_no_others_again(varying: Varying) -> None:
    def written() -> dict[str, int]:
        folder = Path(varying.evaluation.url, "texts")
        return {file.stem: file.stat().st_mtime_ns for file in folder.iterdir()}

    prepare_varied_texts(varying, range(1))
    before = written()
    prepare_varied_texts(varying, range(3))
    after = written()
    assert after.keys() - before.keys() == {"other_class-1", "other_class-2"}
    assert {name: after[name] for name in before} == before


def test_only_the_prompt_that_was_added_to_a_class_is_left_out(varying: Varying) -> None:
    """A description in the same words is one."""
    lake = varying.evaluation.lake
    table = [
        *(("dog", -1, "a dog", None), ("dog", 0, "A dog barks.", None), ("dog", 1, "a dog", None)),
        *(("cat", -1, "a cat", None), ("cat", 0, "a cat", "exact_duplicate"), ("cat", 1, "a cat", None)),
    ]
    described = replace(varying.described, version=new_version(lake, "pets", "b" * 16))
    write_descriptions(lake, described, rows_of(table), BACKBONE.text_tower_sha256)
    texts = read_texts(replace(varying, described=described))
    assert texts == {"dog": ("A dog barks.", "a dog"), "cat": ("a cat",)}


def test_how_many_texts_are_embedded_at_once_makes_no_other_evaluation() -> None:
    more = read_settings(overrides=["descriptions.batch_size=64"])
    assert hash_rules(more) == hash_rules(Settings())
    assert hash_rules(read_settings(overrides=["descriptions.drop_near_duplicates=false"])) != hash_rules(
        more
    )


def kept(varying: Varying, url: str) -> dict[str, list[str]]:
    rows = read_table(url, Descriptions, varying.evaluation.lake.storage)
    used = rows.filter(pl.col("drop_reason").is_null() & (pl.col("position") >= 0))
    return {name: used.filter(pl.col("class_name") == name)["text"].to_list() for name in ("dog", "cat")}


def test_each_variant_has_the_texts_that_its_rules_leave_and_a_prompt_where_none_is_left(
    varying: Varying,
) -> None:
    urls = prepare_varied_texts(varying, range(2))
    found = {name: kept(varying, url) for name, url in urls.items()}
    every = ["A dog barks.", "A dog barks.", "A dog chases a cat."]
    assert found == {
        "unfiltered": {"dog": every, "cat": ["A cat meets a dog."]},
        "filtered": {"dog": ["A dog barks."], "cat": ["a cat"]},
        "exact_duplicate": {"dog": [every[0], every[2]], "cat": ["A cat meets a dog."]},
        "near_duplicate": {"dog": [every[0], every[2]], "cat": ["A cat meets a dog."]},
        "names_another_class": {"dog": every[:2], "cat": ["a cat"]},
        "closer_to_another_class": {"dog": every, "cat": ["A cat meets a dog."]},
        "other_class-0": {"dog": ["A dog meets a dog."], "cat": ["A cat barks.", "A cat barks.", "A cat chases a cat."]},
        "other_class-1": {"dog": ["A dog meets a dog."], "cat": ["A cat barks.", "A cat barks.", "A cat chases a cat."]},
    }  # fmt: skip
    filtered = read_table(urls["filtered"], Descriptions, varying.evaluation.lake.storage)
    assert suggest_for(filtered)[0].startswith("rule names_another_class drops all 1 text(s) of 'cat'")
