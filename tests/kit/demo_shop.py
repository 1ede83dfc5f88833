"""The shop of the live demo: its flow, its visitors, and what its Redis and topics show."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from heapq import heappop, heappush

import msgspec
import redis
from google.cloud import pubsub_v1

from tests.kit.reminders import track
from tests.kit.timeouts import PATIENCE
from transforms.flows.catalog.control_log import records_of
from transforms.flows.protocol import control_records
from transforms.flows.reading.project import load_project

PROJECT, SPACE, FLOW = "projects/demo", "shop", "remind"
FILES = {
    "space.yaml": """
space: shop
slack: 1s
channels:
  log: {address: user}
""",
    "messages/note.liquid": "Your cart waits.\n",
    "remind.yaml": """
flow: remind
enter:
  - event: Cart
goals:
  ordered: {event: Order, within: 2d}
steps:
  ordering: {wait_for: [{event: Order, then: thanks}], timeout: {after: 15s, then: reminder}}
  reminder: {send: log, template: note, then: deciding}
  deciding: {wait_for: [{event: Order, then: thanks}], timeout: {after: 30s, then: gone}}
  thanks: {end: ordered}
  gone: {end: gone}
""",
}
CARTS = 5
"""Carts per second."""


def control_lines() -> bytes:
    """Publish and start the flow now: the text of a control log.

    The controller would stop a flow that was started long ago.
    """
    project = load_project(FILES)
    records = records_of(
        {FLOW: project.flow_text(FLOW)},
        project.space_text,
        {FLOW: project.template_texts(FLOW)},
        time.time_ns() // 1_000_000,
    )
    return b"".join(control_records.encode_line(record) + b"\n" for record in records)


class Visitors:
    """Publishes carts, and orders for half of them, until it is left."""

    def __init__(self) -> None:
        self.published = Counter[str]()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Visitors:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _run(self) -> None:
        client = pubsub_v1.PublisherClient()
        chance = random.Random(1)
        orders: list[tuple[float, str]] = []
        number = 0
        while not self._left.wait(1 / CARTS):
            now, user = time.time(), f"visitor-{number}"
            number += 1
            self._publish(client, "Cart", user)
            if chance.random() < 0.5:
                heappush(orders, (now + chance.uniform(2, 40), user))
            while orders and orders[0][0] <= now:
                self._publish(client, "Order", heappop(orders)[1])
        client.transport.close()

    def _publish(self, client: pubsub_v1.PublisherClient, name: str, user: str) -> None:
        ident, now = f"{name}-{user}", time.time_ns() // 1_000_000
        message = {
            "data": track(ident, user, name, now),
            "attributes": {"id": ident, "space": SPACE},
        }
        request = {"topic": f"{PROJECT}/topics/events", "messages": [message]}
        client.transport.publish(request, timeout=PATIENCE)
        self.published[name] += 1


class Shown:
    """What can be seen of the job from outside."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(redis_url, decode_responses=True)
        self._subscriber = pubsub_v1.SubscriberClient()
        self.messages = 0

    def waiting(self) -> Counter[str]:
        """Count the sessions in Redis by step."""
        keys = list(self._redis.scan_iter(f"towpath:{SPACE}:state:*", count=1000))
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.hget(key, "flows")
        found = [msgspec.json.decode(flows) for flows in pipe.execute() if flows]
        return Counter(session["step"] for flows in found for session in flows)

    def receive(self) -> int:
        """Receive the messages for users that arrived since the last call; return all so far."""
        path = f"{PROJECT}/subscriptions/message"
        request = pubsub_v1.types.PullRequest(
            subscription=path, max_messages=1000, return_immediately=True
        )
        got = self._subscriber.transport.pull(request, timeout=PATIENCE).received_messages
        if got:
            self._subscriber.acknowledge(subscription=path, ack_ids=[each.ack_id for each in got])
        self.messages += len(got)
        return self.messages

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
        self._subscriber.close()
