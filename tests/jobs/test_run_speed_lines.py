"""What a person reads of a run's speed."""

from laketag.jobs.run_speed_lines import describe_actors, describe_speed
from laketag.pipeline.lake.run_speed import RunSpeed

STAGES = [
    {"stage": stage, "images": 10, "busy_s": 1.0, "at_once": 1.0, "images_per_s": rate, "busy_fraction": busy}
    for stage, rate, busy in (("fetch", 12345.6, 0.01), ("decode", 123.4, 0.2), ("label", 13.1, 0.94))
]
ACTORS = [
    {
        "actor": f"gpu/{number}",
        "images": 1000,
        "busy_s": 1.0,
        "images_per_s": 6.0 + number,
        "busy_fraction": 0.9,
    }
    for number in range(2)
]


def test_its_lines_fit_into_80_columns_and_name_the_brake() -> None:
    speed = RunSpeed(
        images_per_s=12.3,
        starts=2,
        seconds=4000.0,
        start_s=80.4,
        bytes_read=93_500_000,
        device_busy_fraction=0.94,
        flow_to_bare_ratio=0.94,
        held_back_by="label",
        seconds_per_million=81_300.8,
        cost_per_million=13.6,
        stages=STAGES,
    )
    lines = list(describe_speed(speed))
    assert lines == [
        "speed: 12.3 images/s, 94% of what its slowest stage does alone",
        "  fetch 12,345.6/s (busy 1%), decode 123.4/s (busy 20%), label 13.1/s (busy 94%)",
        "  held back by label",
        "time: 1 h 06 min in 2 starts, 1 min 20 s of it before the first image",
        "read: 93.5 MB",
        "a million images take 22 h 35 min and cost 13.60 at this rate",
    ]
    assert max(map(len, lines)) <= 80


def test_what_is_not_known_is_left_out() -> None:
    assert list(describe_speed(RunSpeed())) == []
    short = RunSpeed(starts=1, seconds=20.0, start_s=18.0, bytes_read=10, held_back_by="start")
    assert list(describe_speed(short)) == [
        "time: 20 s, 18 s of it before the first image; most of it went into the start",
        "read: 10 bytes",
    ]


def test_several_actors_are_one_phrase_and_in_detail_a_line_each() -> None:
    speed = RunSpeed(
        images_per_s=12.3, flow_to_bare_ratio=0.9, held_back_by="label", stages=STAGES, actors=ACTORS
    )
    assert "2 actors with 6.0 to 7.0/s each" in "\n".join(describe_speed(speed))
    assert list(describe_actors(speed)) == [
        "actor gpu/0: 1,000 images, 6.0/s, busy 90%",
        "actor gpu/1: 1,000 images, 7.0/s, busy 90%",
    ]
