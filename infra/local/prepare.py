"""Prepares the local stack: topics, subscriptions, and folders that the other services may write to."""

import os
import sys
from contextlib import suppress

from google.api_core.exceptions import AlreadyExists
from google.cloud import pubsub_v1

from pipelines.stream_options import HANDOVERS, topics_of
from transforms.sinks.outgoing import EVENTS

PROJECT = "local"
READ = (EVENTS, HANDOVERS, "commands")
NOBODY = 65534


def main(folders: list[str]) -> None:
    """Create what is missing."""
    for folder in folders:
        os.chown(folder, NOBODY, NOBODY)
    publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
    for name in sorted(
        {topic.rpartition("/")[2] for topic in topics_of(PROJECT).values()} | {*READ}
    ):
        topic = f"projects/{PROJECT}/topics/{name}"
        with suppress(AlreadyExists):
            publisher.create_topic(name=topic)
        for end in [name] if name in READ else [f"look-{name}", f"controller-{name}"]:
            path = f"projects/{PROJECT}/subscriptions/{end}"
            with suppress(AlreadyExists):
                subscriber.create_subscription(
                    request={"name": path, "topic": topic, "enable_message_ordering": name in READ}
                )


if __name__ == "__main__":
    main(sys.argv[1:])
