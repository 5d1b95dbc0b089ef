"""Carries a plan out, step by step, and knows at any moment what is done and what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import ClientError

from ndjctl.aws import EXISTS_CODES, error_code, told
from ndjctl.deploy.kinds.base import Aws, Kind
from ndjctl.deploy.model import Danger, Plan, Step, label_of
from ndjctl.deploy.patience import THROTTLE_CODES, patient
from ndjctl.deploy.planner import plan_step
from ndjctl.errors import CloudError, NdjctlError

State = Literal["done", "failed", "not reached"]

PASSING_CODES = (
    THROTTLE_CODES
    | EXISTS_CODES
    | {"ConcurrentModification", "ConcurrentModificationException", "LimitExceededException"}
)
"""Codes of refusals after which a new look tells what is left to do: a pause mends them, or somebody was quicker."""

TRIES = 8
LONGEST_PAUSE_S = 20.0


@dataclass(frozen=True)
class Outcome:
    """What became of one step. reason: one sentence where it was not done."""

    step: Step
    state: State
    reason: str = ""


class Execution:
    """One plan being carried out. `outcomes` grows while run() is iterated; whatever stops that (an interrupt, an
    error), it tells what was done. allowed: the dangers that were agreed to."""

    def __init__(
        self, plan: Plan, aws: Aws, kinds: Mapping[str, Kind], allowed: frozenset[Danger], environment: str
    ) -> None:
        self._aws = aws
        self._kinds = kinds
        self._allowed = allowed
        self._environment = environment
        # What goes, goes in the opposite order: first what needs the others.
        removals = [step for step in plan.pending if step.action == "delete"]
        self.steps = [step for step in plan.pending if step.action != "delete"] + removals[::-1]
        self.outcomes: list[Outcome] = []

    @property
    def unreached(self) -> list[Step]:
        """Steps that nothing is known of yet."""
        return self.steps[len(self.outcomes) :]

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.state != "done"]

    def run(self, began: Callable[[Step], None] = lambda _step: None) -> Iterator[Outcome]:
        """Carries every step out and yields its outcome. A step whose resource needs one that failed is not tried; the
        others are, so that all that is missing is known at once. Raises CloudError at once where AWS cannot be
        reached."""
        broken: set[str] = set()
        for step in self.steps:
            blocker = next((need for need in step.resource.needs if need in broken), None)
            if blocker is not None and step.action != "delete":
                outcome = Outcome(step, "not reached", f"it needs {label_of(blocker)}")
            else:
                began(step)
                outcome = self._carry_out(step)
            if outcome.state != "done":
                broken.add(step.resource.id)
            self.outcomes.append(outcome)
            yield outcome

    def _carry_out(self, step: Step) -> Outcome:
        try:
            self._settle(step)
        except NdjctlError as error:
            return Outcome(step, "failed", str(error))
        except Exception as error:
            sentence = told(error, self._environment)
            if sentence is None:
                raise
            if not isinstance(error, ClientError):  # no credentials, no network: the next step would end the same way
                raise sentence from error
            return Outcome(step, "failed", str(sentence))
        return Outcome(step, "done")

    def _settle(self, step: Step) -> None:
        """One step, and after a refusal that passes, what a new look says is left of it: another deployment may have
        made the resource in the meantime, and a call that was refused may have been the second of three."""
        aws = patient(self._aws)
        planned, pause_s = step, 0.5
        for number in range(1, TRIES + 1):
            try:
                if number > 1:
                    step = self._left_of(planned, aws)
                self._do(step, aws)
                return
            except ClientError as error:
                if number == TRIES or error_code(error) not in PASSING_CODES:
                    raise
            aws.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _left_of(self, planned: Step, aws: Aws) -> Step:
        """Raises CloudError for what was not agreed to when the plan was."""
        resource = planned.resource
        observed = self._kinds[resource.kind].observe(aws, resource)
        if planned.action == "delete":
            return Step(resource, observed, "keep" if observed is None else "delete")
        step = plan_step(resource, observed)
        if step.owner is not None and planned.owner is None:
            raise CloudError(
                f"{resource.label} was made meanwhile by the environment {step.owner!r}, and stays as it is."
            )
        refused = step.all_dangers - self._allowed
        if refused:
            raise CloudError(f"{resource.label} changed meanwhile, and now it {' and '.join(sorted(refused))}.")
        return step

    def _do(self, step: Step, aws: Aws) -> None:
        kind = self._kinds[step.resource.kind]
        if step.action == "create":
            kind.create(aws, step.resource)
        elif step.action == "update":
            kind.update(aws, step.resource, step.changes)
        elif step.action == "replace":
            kind.delete(aws, step.resource)
            kind.create(aws, step.resource)
        elif step.action == "delete":
            kind.delete(aws, step.resource)
