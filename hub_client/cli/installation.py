"""A plan: told, carried out, and summed up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub_client.cli.console import format_count, format_duration
from plugin_spec.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_client.cli.session import Session
    from hub_client.install_plan import InstallPlan, Step
    from hub_client.installer import Event, Installer

_NAMED = 2
"""How many of the added Python packages are named."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One run of an installer, from its plan to its summary."""

    session: Session
    installer: Installer
    dry_run: bool = False
    as_json: bool = False
    started: float = field(default_factory=time.perf_counter)

    def carry_out(
        self, plan: InstallPlan, *, then: Callable[[], object] = lambda: None
    ) -> None:
        """Tell the plan, do it unless it is only to be told, and sum it up.

        :param then: what else belongs to it, before it is told to have been done.
        """
        console = self.session.console
        lines = list(_told(plan, time.perf_counter() - self.started))
        if lines and not self.as_json:
            tell = console.result if self.dry_run else console.say
            tell("\n".join(lines))
        started = time.perf_counter()
        if not self.dry_run:
            self.installer.apply(plan, on_event=self._tell)
            if not plan.is_empty:
                console.say(_summary(plan, time.perf_counter() - started))
            then()
        if self.as_json:
            seconds = round(time.perf_counter() - self.started, 3)
            console.result_json(
                {"dry_run": self.dry_run, **plan.to_dict(), "seconds": seconds}
            )

    def _tell(self, event: Event) -> None:
        verbs = {
            "wait": "Waiting for another installation into",
            "fetch": "Fetching",
            "packages": "Installing",
        }
        if event.kind in verbs and self.session.console.progress:
            self.session.console.say(f"{verbs[event.kind]} {event.subject}")


def _told(plan: InstallPlan, seconds: float) -> Iterator[str]:
    """The plan, a line for each thing that happens."""
    steps = plan.steps
    if plan.is_empty:
        yield from (
            f"{each.name} {each.version} is already installed"
            for each in steps
            if each.kind == "keep"
        )
        return
    chosen = [each for each in steps if each.kind != "remove"]
    if chosen:
        sources = enumerated(sorted({each.source for each in chosen}))
        count = format_count(len(chosen), "operator")
        yield f"Resolved {count} from {sources} in {format_duration(seconds)}"
    yield from (_line(each) for each in steps if each.kind != "keep")
    if plan.packages.add:
        yield f"+ {_added_packages(plan)}"
    for change in plan.packages.change:
        yield f"~ {change.pin.name} {change.installed} -> {change.pin.version}"


def _line(step: Step) -> str:
    if step.kind == "change" and step.installed != step.version:
        return f"~ {step.name} {step.installed} -> {step.version}"
    sign = {"add": "+", "change": "~"}.get(step.kind, "-")
    return f"{sign} {step.name} {step.version}"


def _added_packages(plan: InstallPlan) -> str:
    """How many come, and first of them those that the operators themselves name."""
    from packaging.requirements import Requirement  # noqa: PLC0415  (loaded by now)
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    asked = {
        canonicalize_name(Requirement(text).name)
        for target in plan.targets
        for text in target.packages
    }
    added = sorted(
        plan.packages.add, key=lambda pin: canonicalize_name(pin.name) not in asked
    )
    names = [str(pin) for pin in added[:_NAMED]] + ["…"] * (len(added) > _NAMED)
    return f"{format_count(len(added), 'Python package')} ({', '.join(names)})"


def _summary(plan: InstallPlan, seconds: float) -> str:
    installed = _counts(len(plan.targets), len(plan.packages.pins))
    removed = _counts(len(plan.remove), 0)
    done = [f"installed {installed}"] * bool(installed)
    done += [f"removed {removed}"] * bool(removed)
    text = f"{' and '.join(done)} in {format_duration(seconds)}"
    return text[0].upper() + text[1:]


def _counts(operators: int, packages: int) -> str:
    counts = [
        format_count(number, noun)
        for number, noun in ((operators, "operator"), (packages, "Python package"))
        if number
    ]
    return " and ".join(counts)
