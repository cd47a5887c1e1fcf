"""The checks, stage by stage: each needs what the one before it gave."""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
import platform
import shlex
import sys
import threading
import time
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from hub_client.tree_digest import UnsafeTree, tree_digest
from plugin_spec.errors import HubError, InvalidOperator
from plugin_spec.package_source import check_late_imports
from towhee.checking import batches, elsewhere
from towhee.checking.samples import find_samples, own_options
from towhee.checking.subject import Subject, open_repository
from towhee.checking.values import default_problem, difference, is_nan, mismatch, words
from towhee.checking.witness import Witness
from towhee.loader import find_class
from towhee.options import InvalidOptions
from towhee.private_modules import import_package

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from packaging.requirements import Requirement as PackageRequirement

    from hub_client.installed import InstalledOperator
    from plugin_spec.manifest import Manifest
    from towhee.checking.report import Report
    from towhee.checking.samples import Sample

_TOLD: Final = 3
_MOMENT: Final = 0.5
"""Seconds for threads that were told to end, as a library's pool does, to do so."""
_REPEAT = "Seed a generator of its own, iterate in sorted order, and keep no state"


def examine(repository: Path, options: Mapping[str, object], report: Report) -> None:
    """Run every check, as far as one leads to the next.

    :param repository: a copy of its own, with a valid manifest.
    """
    witness = Witness(report, report.path.with_name("printed"))
    try:
        _Examination(repository, report, witness).run(options)
    except HubError as error:
        hint = error.hint or "Mend that, then check again"
        report.add("error", "samples", str(error), hint)
    report.end()


@dataclass(slots=True)
class _Examination:
    repository: Path
    report: Report
    witness: Witness
    outputs: list[tuple[Sample, Any]] = field(default_factory=list)
    """What each sample gave, in a copy."""
    given: list[Any] = field(default_factory=list)
    """The same as the operator gave it."""

    def run(self, options: Mapping[str, object]) -> None:
        installed = open_repository(self.repository)
        options = {**own_options(self.repository), **options}
        if not self._import(installed):
            return
        threads = set(threading.enumerate())
        subject = self._build(installed, options)
        if subject is None:
            return
        if not subject.learns:
            self._call(subject, self._samples(installed))
        if self.outputs:
            self._call_again(subject)
            self._batch(subject)
        self._close(subject, threads)
        self._look_around()
        self._compare_requirements(installed)
        # A tree that it changed, no other process would load.
        if self._is_untouched(installed) and self.outputs:
            self._move(subject)

    def _import(self, installed: InstalledOperator) -> bool:
        module = installed.manifest.module
        if module is None:
            return True
        with contextlib.suppress(ImportError):
            import numpy  # noqa: F401, ICN001  (so that its state is watched)
        with self.witness.watch("import", network=False):
            try:
                import_package(installed.tree / module, installed.receipt.tree)
            except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever it is)
                mend = "Import it here yourself, and mend what fails"
                self._fail("import", error, mend, installed.manifest)
                return False
        return True

    def _build(
        self, installed: InstalledOperator, options: Mapping[str, object]
    ) -> Subject | None:
        with self.witness.watch("construction"):
            try:
                subject = Subject.bind(installed, options)
                self._compare_parameters(installed)
                for step in subject.steps:
                    step.load()
                self._describe(subject)
                if not options:
                    self._compare_space(subject)
            except InvalidOptions as error:
                severity: Any = "error" if options else "warning"
                mend = (
                    f"Say in `samples/options.json` what to run it with: {error.hint}"
                )
                self.report.add(severity, "construction", str(error), mend)
                return None
            except (Exception, SystemExit) as error:  # noqa: BLE001
                mend = "Its defaults should work, or `samples/options.json` say others"
                self._fail("construction", error, mend, installed.manifest)
                return None
        return subject

    def _compare_requirements(self, installed: InstalledOperator) -> None:
        """Hold what it requires against what it ran with here."""
        manifest = installed.manifest
        required = [package.name for package in manifest.packages]
        if manifest.module is not None:
            folder = installed.tree / manifest.module
            for each in check_late_imports(folder, required, sys.modules):
                self.report.add(each.severity, each.place, each.message, each.mend)
        python = platform.python_version()
        if not manifest.requires_python.contains(python, prereleases=True):
            self.report.add(
                "warning",
                "operator.yaml: requires.python",
                f"is {manifest.requires_python}, and it ran with Python {python}",
                "Check it with a Python that it may have, or mend the bound",
            )
        for package in manifest.packages:
            if problem := _is_not_met(package):
                place = "operator.yaml: requires.packages"
                mend = "Run `hub check --fresh`, which installs what it requires"
                self.report.add("warning", place, problem, mend)

    def _compare_parameters(self, installed: InstalledOperator) -> None:
        """Hold the manifest's parameters against what the constructor takes."""
        manifest = installed.manifest
        if manifest.kind != "operator":
            return
        found = find_class(installed.tree, installed.receipt.tree, manifest)
        taken = inspect.signature(found).parameters
        takes_any = any(each.kind is each.VAR_KEYWORD for each in taken.values())
        for name, schema in manifest.parameters.items():
            problem = mend = None
            if name in taken:
                problem = default_problem(schema, taken[name])
                mend = "Give both the same default: users read the manifest's"
            elif not takes_any:
                problem = f"its constructor takes no `{name}`"
                mend = "Call it as the constructor does, or leave it out"
            if problem and mend:
                place = f"operator.yaml: parameters.{name}"
                self.report.add("error", place, problem, mend)

    def _compare_space(self, subject: Subject) -> None:
        """Hold what the manifest says of its vectors against what they are."""
        said, found = subject.manifest.space, subject.steps[-1].load().operator.space
        if said is None or said == found:
            return
        if found is None:
            message = "says a `space`, and its operator knows of none"
            mend = "Define the property `space`, or say none"
        else:
            first = "makes vectors of another space than it says"
            message = "\n  ".join([first, *said.differences(found)])
            mend = f"Say `space: {json.dumps(found.stated())}`"
        self.report.add("error", "space", message, mend)

    def _describe(self, subject: Subject) -> None:
        for step in subject.steps:
            try:
                json.dumps(step.describe())
            except (Exception, SystemExit) as error:  # noqa: BLE001
                mend = "Return JSON values: numbers, text, lists and dictionaries"
                message = f"`describe` fails: {words(error)}"
                self.report.add("error", "construction", message, mend)

    def _samples(self, installed: InstalledOperator) -> list[Sample]:
        scratch = self.report.path.with_name("files")
        scratch.mkdir()
        try:
            samples = find_samples(installed.manifest, self.repository, scratch)
            missing = "no input can be made for its ports"
        except ModuleNotFoundError as error:
            samples, missing = [], f"inputs for its ports take `{error.name}`"
        if not samples:
            message = f"was not tried, since {missing}"
            mend = "Put inputs into `samples/`, a file or a folder for each row"
            self.report.add("warning", "call", message, mend)
        return samples

    def _call(self, subject: Subject, samples: Iterable[Sample]) -> None:
        with self.witness.watch("call"):
            for sample in samples:
                self._call_once(subject, sample)
            self._compare_given()
        if self.outputs and all(is_nan(output) for _, output in self.outputs):
            mend = (
                "Look for what is divided by zero, or put usual inputs into `samples/`"
            )
            self.report.add("warning", "call", "gives nothing but NaN", mend)

    def _call_once(self, subject: Subject, sample: Sample) -> None:
        inputs = copy.deepcopy(sample.value)
        try:
            value = inputs
            for step in subject.steps:
                value = step.load().apply(value)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._refuse(subject, sample, error)
            return
        if changed := difference(sample.value, inputs, tolerance=0):
            self.report.add(
                "error",
                "call",
                f"changes its input, {sample.origin}: {changed}",
                "Work on a copy: other steps, and the caller, have the same object",
            )
        self._compare_ports(subject, value)
        self.given.append(value)
        with contextlib.suppress(Exception):  # a generator has no copy
            value = copy.deepcopy(value)
        self.outputs.append((sample, value))

    def _compare_given(self) -> None:
        """Hold what was given first against itself, after other calls."""
        for (sample, before), now in zip(self.outputs, self.given, strict=True):
            if changed := difference(before, now, tolerance=0):
                self.report.add(
                    "error",
                    "call",
                    f"changes what it gave for {sample.origin}, in a later call: "
                    f"{changed}",
                    "Return a copy of what it goes on writing to: callers keep outputs",
                )

    def _refuse(self, subject: Subject, sample: Sample, error: BaseException) -> None:
        message = f"fails on {sample.origin}: {words(error)}"
        mend = _how_to_have(error, subject.manifest)
        if isinstance(error, InvalidOperator):
            mend = mend or error.hint
        if mend:
            self.report.add("error", "call", message, mend)
        elif sample.is_certain:
            mend = "Take what `inputs` says, or say there what it takes"
            self.report.add("error", "call", message, mend)
        elif not self.outputs:
            mend = "Put inputs that it does take into `samples/`"
            self.report.add("warning", "call", message, mend)

    def _compare_ports(self, subject: Subject, value: Any) -> None:  # noqa: ANN401
        ports = subject.manifest.outputs
        values = (value,) if len(ports) == 1 else value
        for port, each in zip(ports, values, strict=True):
            if problem := mismatch(port, each):
                mend = "Return what `outputs` says, or say there what it returns"
                self.report.add("error", "call", f"its output {problem}", mend)

    def _call_again(self, subject: Subject) -> None:
        with self.witness.watch("second call"):
            for sample, output in self.outputs:
                try:
                    again = subject.run(sample)
                except (Exception, SystemExit) as error:  # noqa: BLE001
                    message = f"fails on {sample.origin} again: {words(error)}"
                    self.report.add("error", "second call", message, _REPEAT)
                    continue
                if problem := difference(output, again):
                    message = f"gives another output for {sample.origin}: {problem}"
                    self.report.add("warning", "second call", message, _REPEAT)

    def _batch(self, subject: Subject) -> None:
        if len(subject.steps) == 1:
            with self.witness.watch("batch"):
                batches.compare(subject, self.outputs, self.report)

    def _move(self, subject: Subject) -> None:
        with self.witness.watch("another process"):
            elsewhere.compare(subject, self.outputs, self.report)

    def _close(self, subject: Subject, before: set[threading.Thread]) -> None:
        with self.witness.watch("close"):
            for step in subject.steps:
                try:
                    step.load().operator.close()
                except (Exception, SystemExit) as error:  # noqa: BLE001
                    mend = "Release what there is, and no more"
                    self._fail("close", error, mend, subject.manifest)
        left = {each for each in threading.enumerate() if not each.daemon} - before
        until = time.monotonic() + _MOMENT
        for each in left:
            each.join(max(0.0, until - time.monotonic()))
        if left := set(filter(threading.Thread.is_alive, left)):
            names = ", ".join(sorted(f"`{each.name}`" for each in left))
            mend = "Join its threads in `close`: Python waits for them at its end"
            self.report.add("warning", "close", f"leaves {names} running", mend)

    def _look_around(self) -> None:
        """What it left in the folder it was run in, which was empty."""
        work = self.report.path.with_name("work")
        if left := sorted(each.name for each in work.iterdir()):
            names = ", ".join(f"`{each}`" for each in left[:_TOLD])
            mend = "Write into a folder that an option names, or a temporary one"
            message = f"writes {names} into the current folder, which is the user's"
            self.report.add("warning", "call", message, mend)

    def _is_untouched(self, installed: InstalledOperator) -> bool:
        with contextlib.suppress(UnsafeTree):
            if tree_digest(self.repository) == installed.receipt.tree:
                return True
        self.report.add(
            "error",
            "call",
            "writes into its own folder, which is shared and checked by its digest",
            "Write into a folder that an option names, or a temporary one",
        )
        return False

    def _fail(
        self, stage: str, error: BaseException, mend: str, manifest: Manifest
    ) -> None:
        hint = _how_to_have(error, manifest) or getattr(error, "hint", None)
        self.report.add("error", stage, f"fails: {words(error)}", hint or mend)


def _how_to_have(error: BaseException, manifest: Manifest) -> str | None:
    """What helps if a module is missing."""
    if not isinstance(error.__cause__ or error, ModuleNotFoundError):
        return None
    if missing := [str(each) for each in manifest.packages if not _is_here(each)]:
        return f"Run `pip install {shlex.join(missing)}`, or `hub check --fresh`"
    if isinstance(error, HubError):
        return error.hint
    return "Name the distribution that has it in `requires.packages`, and install it"


def _is_here(package: PackageRequirement) -> bool:
    """Whether a distribution is installed, or is not for this machine."""
    if package.marker is not None and not package.marker.evaluate():
        return True
    return any(metadata.distributions(name=package.name))


def _is_not_met(package: PackageRequirement) -> str | None:
    """What is here instead of a requirement; None if that is what it asks for."""
    if not _is_here(package):
        return f"`{package}` is not installed here, and it ran without"
    found = [each.version for each in metadata.distributions(name=package.name)][:1]
    if all(package.specifier.contains(each, prereleases=True) for each in found):
        return None
    return f"says `{package}`, and it ran with {package.name} {found[0]}"
