"""``hub sync --from``: out of a bundle, and from nowhere else."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.bundle.arriving import Arriving
from hub_client.bundle.collecting import check_room
from hub_client.bundle.reading import Bundle
from hub_client.bundle.router import BundleRouter
from hub_client.bundle.weights_cache import keep_weights
from hub_client.cli.console import format_count
from hub_client.cli.trust_once import TrustOnce
from hub_client.signatures import keys_for
from hub_client.sources import BUNDLED
from hub_client.store import MAKE_ROOM
from hub_client.transfer import transfer
from plugin_spec.errors import HubError
from plugin_spec.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hub_client.bundle.reading import Offer
    from hub_client.cli.installation import Installation
    from hub_client.install_plan import InstallPlan
    from hub_client.lockfile import Lockfile
    from hub_client.project import Project
    from plugin_spec.names import OperatorName


class NoLock(HubError, LookupError):
    """A bundle is to be used, and no lock says what of it."""


class NoWeights(HubError, LookupError):
    """Weights are asked for, and a bundle was made without."""


@dataclass(frozen=True, slots=True)
class BundleSync:
    """One sync from a bundle, once it is known that the bundle has all of it."""

    bundle: Bundle
    lock: Lockfile
    offer: Offer
    installation: Installation
    """As for any sync; here it gets its files from the bundle."""

    @classmethod
    def open(cls, place: str, lock: Lockfile, installation: Installation) -> BundleSync:
        """Read what a bundle lists, and hold it against the lock.

        :raises HubError: if it is not for this lock or this platform.
        """
        installer = installation.installer
        bundle = Bundle.open(place, offline=installer.config.offline)
        offer = bundle.offer(lock, installer.environment)
        cache = installer.config.cache_dir
        router = BundleRouter(bundle.place, offer, lock.operators, cache_dir=cache)
        there = replace(
            installer,
            router=router,
            config=replace(installer.config, offline=True),
            on_trust=TrustOnce(
                installation.session.console, router, installation.session.store()
            ).tell,
            wheels=Arriving.of(cache).path,
        )
        return cls(bundle, lock, offer, replace(installation, installer=there))

    def carry_out(self, roots: Iterable[OperatorName], *, weights: bool) -> None:
        """Bring and check everything, and only then change the environment.

        :param weights: whether the user asked for weights; those that are there come
            in any case.
        """
        if weights and not self.bundle.listing.weights:
            raise NoWeights(
                f"`{self.bundle.place.name}` was made without weights",
                hint="Make it again without `--no-weights`",
            )
        installation = self.installation
        plan = installation.installer.plan_sync(self.lock, roots=roots)
        if installation.dry_run:
            self._finish(plan, brought=0)
            return
        with self._brought(plan):
            self._finish(plan, brought=self._bring_weights())

    def _finish(self, plan: InstallPlan, *, brought: int) -> None:
        console = self.installation.session.console
        if plan.is_empty and not self.installation.as_json:
            console.say("The environment matches `hub.lock`")
        else:
            self.installation.carry_out(plan)
            self._tell_unasked(plan)
        if brought:
            files = format_count(brought, "file")
            console.say(f"Put {files} of weights into the cache")

    def _tell_unasked(self, plan: InstallPlan) -> None:
        """Say what nobody but the lock vouches for."""
        required = self.installation.installer.config.required_signatures
        unasked = [
            str(each.name)
            for each in plan.targets
            if each.source != BUNDLED and keys_for(each.source, required) is None
        ]
        if unasked and not self.installation.dry_run:
            self.installation.session.console.say(
                "No source was asked whether these are its files: "
                f"`hub.lock` says so of {enumerated(unasked)}"
            )

    @contextmanager
    def _brought(self, plan: InstallPlan) -> Iterator[None]:
        """Have the wheels of a plan in a folder of their own, each one checked."""
        pins = [(pin.name, pin.version) for pin in plan.packages.pins]
        files = [self.offer.wheels[pin] for pin in pins]
        if not files:
            yield
            return
        with self._arriving.taken():
            self._say(f"Checking {format_count(len(files), 'wheel')}")
            folder = self._arriving.path
            wanted = {folder / Path(each.path).name: each for each in files}
            # A sync that failed later than this has them here already.
            missing = {
                path: each
                for path, each in wanted.items()
                if not (path.is_file() and each.describes(path))
            }
            size = sum(each.size for each in missing.values())
            check_room(folder, size, hint=MAKE_ROOM)
            with transfer("Checking wheels", size) as advance:
                for path, each in missing.items():
                    self.bundle.place.bring(each, path, advance)
            yield

    @property
    def _arriving(self) -> Arriving:
        return Arriving.of(self.installation.installer.config.cache_dir)

    def _bring_weights(self) -> int:
        """How many files of weights were not in the cache, and are now."""
        brought = 0
        for weights, file in self.offer.weights:
            name = f"{weights.repo}/{weights.file}"
            with transfer(name, file.size) as advance:
                brought += keep_weights(
                    weights,
                    lambda into, file=file, advance=advance: (  # type: ignore[misc]  # defaults bind them
                        self.bundle.place.bring(file, into, advance)
                    ),
                )
        return brought

    def _say(self, text: str) -> None:
        if self.installation.session.console.progress:
            self.installation.session.console.say(text)


def check_lock_is_here(project: Project, place: str) -> None:
    """Refuse to sync by the lock of a bundle: what it pins is for the user to read.

    :raises NoLock: saying where that lock is.
    """
    if not project.lock_path.exists():
        raise NoLock(
            f"There is no `{project.lock_path.name}` here, and it says what is right",
            hint=f"Bring the project's own, or read and copy `{place.rstrip('/')}"
            f"/{project.lock_path.name}`",
        )
