"""The replay as a Beam batch pipeline: read, group by bucket, replay and write, summarize.

The elements are few and large, so Beam's cost per event is small. All workers must be able to reach
the paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners import create_runner

from pipelines.replay import job as jobs
from pipelines.replay import results
from pipelines.replay.bucket import run_bucket
from pipelines.replay.garbage import few_collections
from pipelines.replay.job import Job, Slice
from pipelines.replay.read import read_slice, slices
from pipelines.replay.results import Account, Result, begin_run, finish_run, shape_of
from transforms.flows.catalog.epochs import Catalog

READERS = 16
IN_PROCESS = "FnApiRunner"


class _WithJob(beam.DoFn):
    """A step of the replay: it is pickled with the encoded job, and builds the catalog on the worker."""

    def __init__(self, job: bytes) -> None:
        self._bytes = job

    def setup(self) -> None:
        self.job: Job = jobs.decode(self._bytes)
        self.catalog: Catalog = jobs.catalog(self.job)


class Read(_WithJob):
    """Read a slice of a file into batches, keyed by bucket."""

    def process(self, element: Slice) -> Iterator[tuple[int, bytes]]:
        yield from read_slice(self.job, self.catalog, element)


class Fold(_WithJob):
    """Replay a bucket's batches and write its files; emit its result."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        bucket, blobs = element
        yield 0, results.encode(run_bucket(self.job, self.catalog, bucket, [blobs]))


class Finish(_WithJob):
    """Summarize the results of all buckets."""

    def process(self, element: tuple[int, Iterable[bytes]]) -> None:
        found: list[Result] = [results.decode(blob) for blob in element[1]]
        finish_run(self.job, found, shape_of(self.catalog))


def replay(job: Job, options: PipelineOptions) -> Account:
    """Run the pipeline to its end, and return the summary of the run."""
    sent = jobs.encode(job)
    begin_run(job)
    with few_collections(), beam.Pipeline(options=options) as pipeline:
        (
            pipeline
            | "Files" >> beam.Create(slices(job, 1 if is_local(options) else READERS))
            | "Spread files" >> beam.Reshuffle()
            | "Read and decode" >> beam.ParDo(Read(sent)).with_output_types(tuple[int, bytes])
            | "Group by bucket" >> beam.GroupByKey()
            | "Fold and write" >> beam.ParDo(Fold(sent)).with_output_types(tuple[int, bytes])
            | "Group accounts" >> beam.GroupByKey()
            | "Write the account" >> beam.ParDo(Finish(sent))
        )
    return results.account(Path(job.out))


def options_of(words: Sequence[str]) -> PipelineOptions:
    """Make Beam's options; ValueError for an unknown runner.

    The default is the in-process runner, by its own name: Beam's DirectRunner would first try to
    download another one.
    """
    options = PipelineOptions(list(words))
    standard = options.view_as(StandardOptions)
    if standard.runner in (None, "DirectRunner"):
        standard.runner = IN_PROCESS
    create_runner(standard.runner)
    return options


def is_local(options: PipelineOptions) -> bool:
    """Return True if the pipeline runs in this process."""
    return options.view_as(StandardOptions).runner == IN_PROCESS
