import pytest

from laketag.pipeline.classifier.method_names import GROUPS, find_methods, vary_descriptions
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import SettingsError

RELEASE = Settings()
TOWER = Settings.model_validate({"attention": {"name": "backbone"}, "method": {"feature_crops": False}})


def test_all_methods_of_the_paper_its_parts_and_three_beyond_are_found_once() -> None:
    methods = find_methods(["all"], RELEASE)
    assert [method.name for method in methods] == [
        *("clip", "clip-e", "clip-d", "waffle", "cupl", "wca", "abs"),
        *(
            "abs-raw",
            "abs-features",
            "abs:uniform",
            "abs-plain",
            "abs:backbone",
            "abs:random",
        ),  # abs-both is abs
        *("abs-entropy", "abs-mode", "abs-trim"),
    ]
    assert {method.source for method in methods[-3:]} == {
        "AWT, arXiv 2407.04603",
        "MTA, arXiv 2405.02266",
        "CGBC, arXiv 2603.07911",
    }


def test_a_group_leaves_out_what_works_alike_under_the_settings_but_a_name_is_taken_literally() -> None:
    names = [method.name for method in find_methods(["all"], TOWER)]
    assert "abs-both" in names
    assert not {"abs-raw", "abs:backbone"} & set(names), "the settings' abs is both"
    assert [method.name for method in find_methods(["abs", "abs-raw"], TOWER)] == ["abs", "abs-raw"]


def test_every_group_has_known_methods_and_every_variant_takes_an_attention_source() -> None:
    assert {name for name in GROUPS if not find_methods([name], RELEASE)} == set()
    (method,) = find_methods(["abs-raw:vit_small_patch16_224.dino"], RELEASE)
    assert (method.views, method.attention) == (("raw",), "vit_small_patch16_224.dino")
    assert "DINO ViT-S" in method.title


def test_a_budget_has_the_threshold_of_its_name_or_of_the_settings() -> None:
    methods = find_methods(
        ["abs-cascade", "abs-cascade@0.5", "abs-adaptive", "abs-adaptive@1:uniform"], RELEASE
    )
    assert [(one.name, one.budget, one.threshold, one.views) for one in methods] == [
        ("abs-cascade@0.9", "cascade", 0.9, ("whole", "features", "raw")),
        ("abs-cascade@0.5", "cascade", 0.5, ("whole", "features", "raw")),
        ("abs-adaptive@0.95", "adaptive", 0.95, ("features", "raw")),
        ("abs-adaptive@1:uniform", "adaptive", 1.0, ("features", "raw")),
    ]
    assert methods[3].attention == "uniform"


def test_the_seed_matters_where_something_is_drawn() -> None:
    methods = {method.name: method for method in find_methods(["all"], RELEASE)}
    assert {name for name, method in methods.items() if not method.varies} == {
        "clip",
        "clip-e",
        "clip-d",
        "cupl",
    }


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["clipp"], RELEASE, r"method 'clipp' is unknown; choose some of clip, .*, or paper, parts"),
        (["clip:uniform"], RELEASE, "method 'clip:uniform' is unknown"),
        ([], RELEASE, "no method is named"),
        (["abs-cascade@1.1"], RELEASE, "method abs-cascade@1.1: write a number from 0 to 1 after the @"),
        (["abs-adaptive@0.5"], RELEASE, "method abs-adaptive@0.5: write a number over 0.5 to 1 after"),
        (["abs-adaptive@often"], RELEASE, "method abs-adaptive@often: write a number"),
        (["abs-raw@0.9"], RELEASE, "method 'abs-raw@0.9' is unknown"),
        (
            ["abs"],
            Settings.model_validate({"method": {"feature_crops": False, "raw_crops": False}}),
            "'abs' needs crops, and .* are off",
        ),
    ],
)
def test_other_names_are_refused(names: list[str], settings: Settings, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        find_methods(names, settings)


def test_methods_that_read_descriptions_are_varied_and_the_others_stay() -> None:
    names = [method.name for method in vary_descriptions(find_methods(["clip", "cupl"], RELEASE))]
    assert names == [
        "clip",
        *(f"cupl/{kind}" for kind in ("unfiltered", "filtered")),
        *(f"cupl/{rule}" for rule in ("exact_duplicate", "near_duplicate", "names_another_class", "closer_to_another_class")),
        "cupl/other_class",
    ]  # fmt: skip
    varied = vary_descriptions(find_methods(["cupl"], RELEASE))
    assert [method.varies for method in varied] == [False] * 6 + [True], "a further seed is a further class"
