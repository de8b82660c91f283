"""The settings: their defaults serve, each has a meaning, and those that contradict each other are refused."""

import pytest

from laketag.pipeline.config import Section, Settings, StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.settings_file import read_settings

SECTIONS = [type(field.default) for field in Settings.model_fields.values()]


def test_defaults_serve() -> None:
    assert read_settings() == Settings()
    assert (Settings().backbone.name, Settings().backbone.pretrained) == ("ViT-B-16", "openai")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_has_a_meaning_that_a_person_can_read(section: type[Section]) -> None:
    assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_a_single_root_may_be_written_without_brackets() -> None:
    assert read_settings(overrides=["fetch.allowed_roots=s3://b"]).fetch.allowed_roots == ("s3://b",)


def test_images_are_reached_as_the_lake_where_the_source_is_silent() -> None:
    storage = {"endpoint_url": "http://lake", "profile": "me", "region": "r1"}
    settings = Settings(storage=storage, source={"endpoint_url": "http://public", "anonymous": True})
    assert settings.source_storage == StorageSettings(
        endpoint_url="http://public", profile="me", region="r1", anonymous=True
    )
    assert Settings(storage=storage).source_storage == Settings(storage=storage).storage


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["method.min_side_fraction=0.95"], "min_side_fraction 0.95 is over max_side_fraction 0.9"),
        (
            ["method.budget=cascade", "method.name=clip"],
            "budget 'cascade' saves crops, and this method has none",
        ),
        (
            ["method.budget=adaptive", "method.raw_crops=false", "method.feature_crops=false"],
            "has none; set budget to full",
        ),
        (["run.gpus_per_actor=1.5"], "neither a fraction of one GPU nor a whole number"),
        (["run.actors=4", "run.max_actors=2"], "max_actors 2 is under actors 4"),
        (["run.autoscaling=true"], "autoscaling = true needs max_actors"),
        (["run.batch_size=64", "run.rows_per_block=8"], "batch_size 64 is over rows_per_block 8"),
        (["method.sampling_temperature=inf"], "finite"),
        (["fetch.allowed_roots=photos"], "neither a URL such as s3://bucket/prefix nor an absolute path"),
        (['fetch.allowed_roots=["s3://"]'], "neither a URL such as s3://bucket/prefix nor an absolute path"),
        (
            ["fetch.allowed_roots=file://photos"],
            "neither a URL such as s3://bucket/prefix nor an absolute path",
        ),
        (["storage.endpoint_url=foo"], "storage.endpoint_url = 'foo'"),
        (["fetch.backoff_s=20"], "max_backoff_s 10.0 is under backoff_s 20"),
        (["method.crops=nine"], "method.crops = 'nine': input should be a valid integer"),
        (["backbone.sha256=abc"], "backbone.sha256 = 'abc'"),
        (["descriptions.label_prompt=a photo"], "descriptions.label_prompt = 'a photo'"),
    ],
)
def test_an_impossible_setting_is_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_settings(overrides=overrides)
    assert said in str(error.value)
