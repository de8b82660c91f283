"""The texts of a description set with all rules of the filter off, with each one alone, and those of a random other class."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from laketag.pipeline.classifier.choose_evaluation import ChosenEvaluation
from laketag.pipeline.classifier.method_names import FILTERED, OTHER_CLASS, RULE_TEXTS, UNFILTERED
from laketag.pipeline.classifier.random_numbers import draw_uniforms
from laketag.pipeline.config import DescriptionSettings, Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.descriptions.lint import SWITCHES, Description, lint
from laketag.pipeline.descriptions.swapped import Texts, swap_texts
from laketag.pipeline.flows.embed_texts import Embedding, embed_texts
from laketag.pipeline.lake.description_versions import description_url, read_descriptions_table
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.filter_descriptions import IS_PROMPT, filter_descriptions, keep_label_prompts
from laketag.schemas import Descriptions

DESCRIPTION_COLUMNS = ("class_name", "position", "text", "drop_reason")


@dataclass(frozen=True)
class Varying:
    """The set whose texts are varied, and what embeds them."""

    evaluation: Evaluation
    described: EmbeddedSet
    chosen: ChosenEvaluation
    settings: Settings
    screen: Screen

    @property
    def rules(self) -> DescriptionSettings:
        """The filter, with the label prompt of the set."""
        return self.settings.descriptions.model_copy(update={"label_prompt": self.described.label_prompt})


def prepare_varied_texts(varying: Varying, seeds: range) -> dict[str, str]:
    """Text name → URL of its table (schemas.Descriptions); those of an earlier call are neither embedded nor written again."""
    evaluation = varying.evaluation
    swapped = {f"{OTHER_CLASS}-{seed}": seed for seed in seeds}
    filtered = variants(varying.rules)
    names = [*filtered, *swapped]
    if missing := {name for name in names if not evaluation.has_texts(name)}:
        _write_texts(
            varying,
            {name: rules for name, rules in filtered.items() if name in missing},
            {name: seed for name, seed in swapped.items() if name in missing},
        )
    return {name: evaluation.text_url(name) for name in names}


def variants(rules: DescriptionSettings) -> dict[str, DescriptionSettings]:
    """Text name → the settings by which the texts of the set are filtered."""
    off = rules.without_rules()
    alone: dict[str, DescriptionSettings] = {
        reason: off.model_copy(update={SWITCHES[reason].removeprefix("descriptions."): True})
        for reason in RULE_TEXTS
    }
    return {UNFILTERED: off, FILTERED: rules, **alone}


def read_texts(varying: Varying) -> Texts:
    """All texts of the set, kept or dropped, by class; without the label prompt that was added to a class without any other.

    It is the last text of its class, and the only kept one; the same words anywhere else are a description.
    """
    table = read_descriptions_table(
        varying.evaluation.lake, varying.described.name, varying.described.version
    )
    prompts = table.filter(IS_PROMPT).select("class_name", prompt="text")
    is_only = pl.col("drop_reason").is_null() & (
        pl.col("drop_reason").is_null().sum().over("class_name") == 1
    )
    is_last = pl.col("position") == pl.col("position").max().over("class_name")
    described = table.filter(~IS_PROMPT).join(prompts, on="class_name", maintain_order="left")
    described = described.filter(~((pl.col("text") == pl.col("prompt")) & is_only & is_last))
    texts: dict[str, list[str]] = {name: [] for name in prompts["class_name"]}
    for name, text in described.select("class_name", "text").iter_rows():
        texts[name].append(text)
    return {name: tuple(of_class) for name, of_class in texts.items()}


def _write_texts(varying: Varying, filtered: dict[str, DescriptionSettings], swapped: dict[str, int]) -> None:
    """The texts of these variants, and those of another class by these seeds, are stored."""
    texts, rules, evaluation = read_texts(varying), varying.rules, varying.evaluation
    url = description_url(evaluation.lake, varying.described.name, varying.described.version)
    sets: dict[str, pl.DataFrame] = {}
    if filtered:
        sets[UNFILTERED] = _lint(texts, rules.without_rules(), url)
    for name, seed in swapped.items():
        order = np.argsort(draw_uniforms("", seed, "other class", len(texts)), kind="stable").tolist()
        sets[name] = _lint(swap_texts(texts, order), rules.without_rules(), url)
    how = Embedding(
        lake=evaluation.lake,
        backbone=varying.chosen.backbone,
        settings=varying.settings,
        screen=varying.screen,
    )
    embedded, _ = embed_texts(pl.concat(sets.values()), how)
    start = 0
    for name, rows in sets.items():
        of_set = embedded.slice(start, rows.height)
        start += rows.height
        if name != UNFILTERED:
            _write(evaluation, name, of_set, rules.without_rules())
            continue
        for variant, settings in filtered.items():
            reasons = _lint(texts, settings, url)["drop_reason"]
            _write(evaluation, variant, of_set.with_columns(reasons), settings)


def _lint(texts: Texts, settings: DescriptionSettings, url: str) -> pl.DataFrame:
    """Each class's label prompt and texts, with the reason of what its words alone drop; the same rows with any settings."""
    spared = settings.model_copy(update={"drop_empty": True})
    rows: list[Description] = lint(texts, spared, url)
    schema = {name: Descriptions.create_empty().schema[name] for name in DESCRIPTION_COLUMNS}
    return pl.DataFrame([vars(row) for row in rows], schema=schema | {"drop_reason": pl.String()})


def _write(evaluation: Evaluation, name: str, embedded: pl.DataFrame, settings: DescriptionSettings) -> None:
    evaluation.write_texts(name, keep_label_prompts(filter_descriptions(embedded, settings)))
