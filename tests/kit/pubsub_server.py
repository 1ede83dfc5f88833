"""A Pub/Sub server over gRPC on loopback, with faults that can be switched on while it runs.

``python -m tests.kit.pubsub_server --port 8085`` serves until it is interrupted. It serves what
flows need: no exactly-once delivery, dead-letter topics, push, snapshots or seek.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import msgspec
from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

from tests.kit import pubsub_wire as wire
from tests.kit.clock import Clock, system_clock
from tests.kit.pubsub_broker import Broker, Refused
from tests.kit.pubsub_faults import Faults, happens

PULL_WAIT = 1.0
"""How long a pull waits for a first message, in seconds."""
LOOK = 0.02
"""How often waiting pulls check again, since a manual clock sends no notification."""
AT_ONCE = 1000


class PubSubServer:
    """A server in its own threads: ``with PubSubServer() as server: ... server.address``."""

    def __init__(
        self, *, port: int = 0, clock: Clock = system_clock, faults: Faults | None = None
    ) -> None:
        self._clock = clock
        self._broker = Broker(faults)
        self._changed = threading.Condition()
        self._calls: dict[str, int] = {}
        self._open = True
        pool = ThreadPoolExecutor(64, thread_name_prefix="pubsub-server")
        self._server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers(self._handlers())
        self._port = self._server.add_insecure_port(f"127.0.0.1:{port}")

    @property
    def address(self) -> str:
        """The value for ``PUBSUB_EMULATOR_HOST``."""
        return f"127.0.0.1:{self._port}"

    @property
    def faults(self) -> Faults:
        """The faults that are on; assign to switch them."""
        return self._broker.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self._changed:
            self._broker.faults = faults

    def unacked(self, subscription: str) -> set[str]:
        """Return the names of the messages of a subscription that are not acknowledged."""
        with self._changed:
            return self._broker.subscription(subscription).unacked()

    def calls(self, method: str) -> int:
        """Count the calls of a method that had their effect, ``Pull`` for instance."""
        with self._changed:
            return self._calls.get(f"lose_answer {method}", 0)

    def __enter__(self) -> PubSubServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()
        self._server.stop(0.2).wait()

    def _handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        publisher: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
            "CreateTopic": (self._create_topic, types.Topic),
            "GetTopic": (self._get_topic, types.GetTopicRequest),
            "ListTopics": (self._list_topics, types.ListTopicsRequest),
            "DeleteTopic": (self._delete_topic, types.DeleteTopicRequest),
            "Publish": (self._publish, types.PublishRequest),
        }
        subscriber: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
            "CreateSubscription": (self._create_subscription, types.Subscription),
            "GetSubscription": (self._get_subscription, types.GetSubscriptionRequest),
            "DeleteSubscription": (self._delete_subscription, types.DeleteSubscriptionRequest),
            "Pull": (self._pull, types.PullRequest),
            "Acknowledge": (self._acknowledge, types.AcknowledgeRequest),
            "ModifyAckDeadline": (self._modify, types.ModifyAckDeadlineRequest),
        }
        stream = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=wire.StreamingPullRequest.FromString,
            response_serializer=wire.StreamingPullResponse.SerializeToString,
        )
        single = {name: self._single(name, *of) for name, of in subscriber.items()}
        return (
            grpc.method_handlers_generic_handler(
                "google.pubsub.v1.Publisher",
                {name: self._single(name, *of) for name, of in publisher.items()},
            ),
            grpc.method_handlers_generic_handler(
                "google.pubsub.v1.Subscriber", {**single, "StreamingPull": stream}
            ),
        )

    def _single(
        self, name: str, serve: Callable[[Any, Any], Any], request: Any
    ) -> grpc.RpcMethodHandler:
        def call(asked: Any, context: grpc.ServicerContext) -> Any:
            self._fail(context, name, "unavailable")
            try:
                with self._changed:
                    answer = serve(asked, context)
                    self._changed.notify_all()
            except Refused as refused:
                context.abort(grpc.StatusCode[refused.code], str(refused))
            self._fail(context, name, "lose_answer")
            return answer

        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=wire.raw(request).FromString,
            response_serializer=lambda answer: answer.SerializeToString(),
        )

    def _fail(self, context: grpc.ServicerContext, name: str, fault: str) -> None:
        with self._changed:
            faults = self._broker.faults
            count = self._calls[f"{fault} {name}"] = self._calls.get(f"{fault} {name}", 0) + 1
        if happens(getattr(faults, fault), faults.seed, fault, name, count):
            context.abort(grpc.StatusCode.UNAVAILABLE, f"the fault {fault} is on")

    def _create_topic(self, asked: Any, _: Any) -> Any:
        self._broker.create_topic(asked.name)
        return wire.Topic(name=asked.name)

    def _get_topic(self, asked: Any, _: Any) -> Any:
        self._broker.check_topic(asked.topic)
        return wire.Topic(name=asked.topic)

    def _list_topics(self, asked: Any, _: Any) -> Any:
        names = self._broker.topics(asked.project)
        return wire.ListTopicsResponse(topics=[wire.Topic(name=name) for name in names])

    def _delete_topic(self, asked: Any, _: Any) -> Any:
        self._broker.delete_topic(asked.topic)
        return Empty()

    def _publish(self, asked: Any, _: Any) -> Any:
        messages = map(wire.message, asked.messages)
        ids = self._broker.publish(asked.topic, messages, self._clock())
        return wire.PublishResponse(message_ids=ids)

    def _create_subscription(self, asked: Any, _: Any) -> Any:
        return wire.subscription(self._broker.create_subscription(wire.made(asked)))

    def _get_subscription(self, asked: Any, _: Any) -> Any:
        return wire.subscription(self._broker.made(asked.subscription))

    def _delete_subscription(self, asked: Any, _: Any) -> Any:
        self._broker.delete_subscription(asked.subscription)
        return Empty()

    def _acknowledge(self, asked: Any, _: Any) -> Any:
        subscription = self._broker.subscription(asked.subscription)
        subscription.acknowledge(list(asked.ack_ids), self._clock())
        return Empty()

    def _modify(self, asked: Any, _: Any) -> Any:
        subscription = self._broker.subscription(asked.subscription)
        subscription.modify(list(asked.ack_ids), asked.ack_deadline_seconds, self._clock())
        return Empty()

    def _pull(self, asked: Any, context: Any) -> Any:
        until = time.monotonic() + (0 if asked.return_immediately else PULL_WAIT)
        while context.is_active():
            given = self._broker.pull(asked.subscription, asked.max_messages, self._clock())
            if given or time.monotonic() >= until or not self._open:
                return wire.PullResponse(received_messages=map(wire.received, given))
            self._changed.wait(LOOK)
        return wire.PullResponse()

    def _stream(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        first = next(requests)
        name, consumer = first.subscription, f"stream {id(context)}"
        most = first.max_outstanding_messages or AT_ONCE
        self._fail(context, "StreamingPull", "unavailable")
        listening = threading.Thread(target=self._listen, args=(name, requests), daemon=True)
        listening.start()
        while context.is_active() and self._open:
            with self._changed:
                try:
                    room = most - self._broker.subscription(name).held(consumer)
                    room = min(room, AT_ONCE)
                    given = room > 0 and self._broker.pull(name, room, self._clock(), consumer)
                except Refused as refused:
                    context.abort(grpc.StatusCode[refused.code], str(refused))
                if not given:
                    self._changed.wait(LOOK)
                    continue
            self._fail(context, "StreamingPull", "lose_answer")
            answer = wire.StreamingPullResponse(received_messages=map(wire.received, given))
            made = self._broker.made(name)
            answer.subscription_properties.message_ordering_enabled = made.ordered
            yield answer

    def _listen(self, name: str, requests: Iterator[Any]) -> None:
        try:
            for asked in requests:
                with self._changed:
                    now, subscription = self._clock(), self._broker.subscription(name)
                    subscription.acknowledge(list(asked.ack_ids), now)
                    pairs = zip(
                        asked.modify_deadline_ack_ids, asked.modify_deadline_seconds, strict=True
                    )
                    for ack_id, seconds in pairs:
                        subscription.modify([ack_id], seconds, now)
                    self._changed.notify_all()
        except (grpc.RpcError, Refused):
            return  # the caller has disconnected, or the subscription is deleted


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.pubsub_server")
    parser.add_argument("--port", type=int, default=8085, help="0 takes a free one")
    parser.add_argument("--faults", default="{}", help='JSON, such as {"duplicate": 0.1}')
    asked = parser.parse_args()
    try:
        faults = msgspec.json.decode(asked.faults, type=Faults)
    except msgspec.DecodeError as error:
        parser.error(f"--faults: {error}")
    done = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: done.set())
    with PubSubServer(port=asked.port, faults=faults) as server:
        print(f"PUBSUB_EMULATOR_HOST={server.address}", flush=True)
        done.wait()
    print("stopped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
