"""Contracts of the tables of an evaluation."""

import dataframely as dy
import polars as pl

from laketag.schemas.failures import FAILURES


class EvaluationResults(dy.Schema):
    """One row for each image, method and seed: which class the method names, or why the image could not be read."""

    image_id = dy.String(primary_key=True, description="id of the image in the index")
    method = dy.String(primary_key=True, min_length=1, description="name of the method")
    seed = dy.Int32(primary_key=True, min=0, description="seed of the random crops or texts")
    uri = dy.String(min_length=1, description="where the image is")
    true_class = dy.String(min_length=1, description="class of the description set that the index states")
    label = dy.String(nullable=True, description="class with the highest score")
    top = dy.List(
        dy.String(), nullable=True, description="the five classes with the highest scores, best first"
    )
    true_rank = dy.Int32(
        nullable=True, min=1, description="place of the true class in the order of the scores, from 1"
    )
    probability = dy.Float32(
        nullable=True, min=0, max=1, description="what a label row would state as probability"
    )
    seconds = dy.Float32(
        nullable=True,
        min=0,
        description="for the image alone, as if no other method shared its views; without reading and decoding",
    )
    tower_passes = dy.Float32(nullable=True, min=0, description="passes of the image tower for one image")
    tflop = dy.Float32(nullable=True, min=0, description="floating-point operations for one image, in 10¹²")
    pixels = dy.String(
        nullable=True, description="hash of the decoded pixels: copies of an image have equal ones"
    )
    failure = dy.Enum(FAILURES, nullable=True, description="why there is no label")
    failure_detail = dy.String(nullable=True, description="what exactly went wrong, in words")

    @dy.rule()
    def labelled_or_failed(cls) -> pl.Expr:
        """A row has a label or a failure, never both, never neither."""
        return cls.label.col.is_null() != cls.failure.col.is_null()


class EvaluationSummary(dy.Schema):
    """One row for each method of an evaluation; fractions are means over its seeds."""

    method = dy.String(primary_key=True, min_length=1, description="name of the method")
    title = dy.String(description="what it is")
    source = dy.String(description="where it is from")
    seeds = dy.Int32(min=1, description="number of seeds; 1 for a method that draws nothing")
    images = dy.Int32(min=0, description="images with a true class that were labelled")
    failed = dy.Int32(min=0, description="images that could not be read or labelled; in none of the figures")
    top1 = dy.Float64(
        nullable=True, min=0, max=1, description="fraction of images whose label is the true class"
    )
    top1_deviation = dy.Float64(
        nullable=True,
        min=0,
        description="standard deviation of top1 over the seeds (n − 1); null for one seed",
    )
    top1_low = dy.Float64(
        nullable=True, min=0, max=1, description="lower end of Wilson's 95 % interval of top1"
    )
    top1_high = dy.Float64(nullable=True, min=0, max=1, description="upper end of the same")
    top5 = dy.Float64(
        nullable=True, min=0, max=1, description="fraction whose true class is among the best five"
    )
    macro_recall = dy.Float64(
        nullable=True, min=0, max=1, description="mean over the classes of the fraction that is found"
    )
    calibration_error = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="expected calibration error of the probability, 15 bins of equal width",
    )
    aurc = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="area under the risk–coverage curve: mean error where the least sure abstain",
    )
    seconds = dy.Float64(
        nullable=True, min=0, description="mean for one image, as if no other method shared its views"
    )
    tower_passes = dy.Float64(nullable=True, min=0, description="passes of the image tower for one image")
    tflop = dy.Float64(nullable=True, min=0, description="floating-point operations for one image, in 10¹²")
