"""The job graph that Dataflow would get, built by a dry run: no account and no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import apache_beam as beam
from apache_beam.coders import coders
from apache_beam.options.pipeline_options import GoogleCloudOptions
from apache_beam.portability.api import beam_runner_api_pb2 as protos
from apache_beam.runners.runner import PipelineResult

from pipelines import stream

WORDS = (
    "--runner=DataflowRunner",
    "--dry_run=True",
    "--project=project-of-job",
    "--region=europe-west1",
    "--temp_location=gs://bucket-of-job/temp",
    "--staging_location=gs://bucket-of-job/staging",
    "--sdk_container_image=images.example/towpath-worker:1",
    "--subscription=projects/project-of-job/subscriptions/events",
    "--subscription=projects/project-of-job/subscriptions/handovers=handover",
    "--control=gs://bucket-of-job/control.jsonl",
    "--topics=project-of-job",
    "--states=env:TOWPATH_REDIS",
    "--tables=gs://bucket-of-job/tables",
)
"""A command line with every sink."""

STATES = {
    "bag_spec": "bag",
    "combining_spec": "combining",
    "map_spec": "map",
    "multimap_spec": "multimap",
    "ordered_list_spec": "ordered list",
    "read_modify_write_spec": "value",
    "set_spec": "set",
}
DOMAINS = {
    protos.TimeDomain.EVENT_TIME: "event time",
    protos.TimeDomain.PROCESSING_TIME: "processing time",
}

PLAIN_GROUPS = ("beam:transform:generic_composite:v1", "beam:transform:pickled_python:v1")
"""Steps that consist of others, and mean nothing more to a runner."""

Step = dict[str, Any]


def graph_of(words: Sequence[str] = WORDS) -> protos.Pipeline:
    """Build the graph of a command line; ``run`` must accept it."""
    made: list[PipelineResult] = []
    finish = beam.Pipeline.run

    def keep(pipeline: beam.Pipeline, *args: Any, **more: Any) -> PipelineResult:
        made.append(finish(pipeline, *args, **more))
        return made[-1]

    # Beam asks Google Cloud Storage about the buckets before it builds anything.
    no_call = mock.patch.object(GoogleCloudOptions, "_warn_if_soft_delete_policy_enabled")
    with no_call, mock.patch.object(beam.Pipeline, "run", keep):
        assert stream.run(words) == 0
    return made[0].job.proto_pipeline


def steps_of(graph: protos.Pipeline) -> dict[str, Step]:
    """Describe, by name, each step that a runner knows: what it is, its state, timers, outputs."""
    parts = graph.components
    return {
        one.unique_name: _step(one, parts)
        for one in sorted(parts.transforms.values(), key=lambda one: one.unique_name)
        if one.spec.urn.startswith("beam:transform:") and one.spec.urn not in PLAIN_GROUPS
    }


def _step(transform: protos.PTransform, parts: protos.Components) -> Step:
    step: Step = {"is": transform.spec.urn}
    if transform.spec.urn == "beam:transform:pardo:v1":
        step |= _keyed(protos.ParDoPayload.FromString(transform.spec.payload), parts)
    if transform.spec.urn.startswith("beam:transform:combine_"):
        combine = protos.CombinePayload.FromString(transform.spec.payload)
        step["accumulator"] = coder_of(combine.accumulator_coder_id, parts)
    outputs = transform.outputs.items()
    step["outputs"] = {
        tag: _output(parts.pcollections[name], parts) for tag, name in sorted(outputs)
    }
    return step


def _keyed(payload: protos.ParDoPayload, parts: protos.Components) -> Step:
    """Describe what a runner keeps for each key."""
    found: Step = {}
    if payload.state_specs:
        found["states"] = {name: _state(spec, parts) for name, spec in payload.state_specs.items()}
    if payload.timer_family_specs:
        found["timers"] = {
            name: f"{DOMAINS[spec.time_domain]}, {coder_of(spec.timer_family_coder_id, parts)}"
            for name, spec in payload.timer_family_specs.items()
        }
    if payload.restriction_coder_id:
        found["restriction"] = coder_of(payload.restriction_coder_id, parts)
    return found


def _state(spec: protos.StateSpec, parts: protos.Components) -> str:
    kind = spec.WhichOneof("spec")
    inner = getattr(spec, kind)
    coders = (
        coder_of(getattr(inner, field.name), parts)
        for field in inner.DESCRIPTOR.fields
        if field.name.endswith("coder_id")
    )
    return f"{STATES[kind]} of {' to '.join(coders)}"


def _output(collection: protos.PCollection, parts: protos.Components) -> str:
    strategy = parts.windowing_strategies[collection.windowing_strategy_id]
    windows = strategy.window_fn.urn.removeprefix("beam:window_fn:").removesuffix(":v1")
    return f"{coder_of(collection.coder_id, parts)} in {windows}"


def coder_of(name: str, parts: protos.Components) -> str:
    """Describe a coder with its parts, such as ``kv<string_utf8, bytes>``; one of Python by its class."""
    coder = parts.coders[name]
    urn = coder.spec.urn.removeprefix("beam:coder:").removesuffix(":v1")
    if urn == "pickled_python":
        return type(coders.deserialize_coder(coder.spec.payload)).__name__
    if not coder.component_coder_ids:
        return urn
    return f"{urn}<{', '.join(coder_of(each, parts) for each in coder.component_coder_ids)}>"


def lost_by_update(
    before: Mapping[str, Step], now: Mapping[str, Step], renamed: Mapping[str, str]
) -> Iterator[str]:
    """Find what an update of a running job would lose or could not decode.

    A step for which a runner keeps data must be there with the same state, timers and coders.
    ``renamed`` has the names of today by those of before, as ``--transform_name_mapping`` does.
    """
    for name, step in before.items():
        if not keeps_data(step):
            continue
        later = now.get(renamed.get(name, name))
        if later is None:
            yield f"{name}: there is no such step"
        else:
            yield from (
                f"{name}: {part} was {step.get(part)}, now {later.get(part)}"
                for part in sorted(step.keys() | later.keys())
                if step.get(part) != later.get(part)
            )


def keeps_data(step: Step) -> bool:
    """Return True if a runner keeps data for the step while a job is updated."""
    return bool({"states", "timers", "restriction", "accumulator"} & step.keys()) or any(
        word in step["is"] for word in ("group_by_key", "group_into_batches", "reshuffle", "read")
    )
