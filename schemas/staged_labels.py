"""Contract of the staged parts of a run that is not published yet."""

import dataframely as dy

from laketag.schemas.labels import Labels


class StagedLabels(Labels):
    """A row of Labels, and what the image has cost; the table of runs gets the sums, and label files have no such column."""

    work = dy.Struct(
        {
            "actor": dy.String(),
            "fetched_bytes": dy.Int64(min=0),
            "fetch_s": dy.Float32(min=0),
            "decode_s": dy.Float32(min=0),
            "label_s": dy.Float32(min=0),
            "start_at": dy.Datetime(time_unit="us", time_zone="UTC"),
            "fetch_slots": dy.Int32(min=1),
            "decode_slots": dy.Int32(min=1),
            "staged_at": dy.Datetime(time_unit="us", time_zone="UTC"),
        },
        nullable=True,
        description="the label actor, bytes read, the image's share of the seconds of each stage, when the process that drives "
        "the run began with it, its fetch and decode tasks at once, and when the row was staged; null: not noted",
    )
