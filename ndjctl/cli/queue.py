"""`ndjctl queue`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

import typer

from ndjctl.cli.invocation import Invocation, NdjsonOption, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.moving import parts_of

MOST_PEEKED = 1_000


def register(app: typer.Typer) -> None:
    command(app, "queue")(queue)


def queue(
    invocation: Invocation,
    peek: Annotated[
        int,
        typer.Option("--peek", help="How many dead letters to look at; 0 for none.", min=0, max=MOST_PEEKED),
    ] = 10,
    ndjson: NdjsonOption = False,
) -> None:
    """Show the queue of file events and the dead-letter queue: how full, how old, how set, and why letters are dead.

    Counts are approximate, as SQS gives them; the age is CloudWatch's, some minutes late. A dead letter that is looked
    at is out of view for a moment, half a minute at the most. 'redrive dlq' sends them back.
    """
    from ndjctl.listing.queues import look_at_queue
    from ndjctl.output.queues import queues_view
    from ndjctl.redrive.choice import Choice
    from ndjctl.redrive.dlq import DeadLetters

    invocation.print_lines(ndjson)
    cloud = invocation.cloud
    names, sqs, cloudwatch = cloud.names, cloud.client("sqs"), cloud.client("cloudwatch")
    now = datetime.now(timezone.utc)
    with told_when_not_deployed(invocation):
        states = [
            look_at_queue(sqs, cloudwatch, name, now, invocation.env) for name in (names.queue, names.dead_letter_queue)
        ]
        letters = []
        if peek and states[1].depth:
            urls = [sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in (names.dead_letter_queue, names.queue)]
            letters = DeadLetters(sqs, urls[0], urls[1], parts_of(invocation).tracking, Choice()).peek(peek)
        redrive = invocation.typed("redrive", "dlq")
        invocation.out.stream(queues_view(invocation.env, states[0], states[1], letters, redrive))
