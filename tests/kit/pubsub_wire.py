"""Converts between Pub/Sub's protobuf messages and the broker's plain values."""

from __future__ import annotations

from typing import Any

from google.pubsub_v1 import types

from tests.kit.pubsub_broker import Made
from tests.kit.pubsub_subscription import Delivery, Message


def raw(kind: Any) -> Any:
    """Return the protobuf class behind a type of google-cloud-pubsub; it is several times faster."""
    return type(kind.pb(kind()))


Topic = raw(types.Topic)
WireMessage = raw(types.PubsubMessage)
WireSubscription = raw(types.Subscription)
Received = raw(types.ReceivedMessage)
ListTopicsResponse = raw(types.ListTopicsResponse)
PublishResponse = raw(types.PublishResponse)
PullResponse = raw(types.PullResponse)
StreamingPullRequest = raw(types.StreamingPullRequest)
StreamingPullResponse = raw(types.StreamingPullResponse)


def message(wire: Any) -> Message:
    """Convert a message that is being published; its id and time are set later."""
    return Message("", wire.data, dict(wire.attributes), wire.ordering_key, 0)


def received(delivery: Delivery) -> Any:
    """Convert a delivered message."""
    told = delivery.message
    wire = WireMessage(
        data=told.data,
        attributes=told.attributes,
        message_id=told.message_id,
        ordering_key=told.ordering_key,
    )
    wire.publish_time.seconds = told.published // 1000
    wire.publish_time.nanos = told.published % 1000 * 1_000_000
    return Received(ack_id=delivery.ack_id, message=wire, delivery_attempt=delivery.attempt)


def made(wire: Any) -> Made:
    """Convert a subscription that is to be created."""
    return Made(
        wire.name,
        wire.topic,
        wire.ack_deadline_seconds,
        wire.enable_message_ordering,
        wire.filter,
    )


def subscription(known: Made) -> Any:
    """Convert a subscription's settings."""
    return WireSubscription(
        name=known.name,
        topic=known.topic,
        ack_deadline_seconds=known.ack_seconds,
        enable_message_ordering=known.ordered,
        filter=known.filter,
    )
