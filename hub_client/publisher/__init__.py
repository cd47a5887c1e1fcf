"""Publishing an operator: what goes out, whether it may, and how it gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hub_client.sources import GIT, HUGGING_FACE, HUGGING_FACE_AT
from hub_client.sources.rules import InvalidSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hub_client.candidate import Release
    from hub_client.publisher.contents import Contents
    from hub_client.publisher.publication import Publication
    from plugin_spec.names import OperatorName


class Target(Protocol):
    """A source that its publisher may write to: git or Hugging Face."""

    @property
    def spec(self) -> str:
        """As users write the source."""

    @property
    def tells_reasons(self) -> bool:
        """Whether users are told why a version was withdrawn."""

    def is_there(self) -> bool:
        """Whether the repository exists; publishing makes one that does not."""

    def check_author(self, path: Path, *, signed: bool) -> None:
        """Refuse early if who publishes ``path`` has to be known, and is not.

        :param signed: whether a sigstore bundle goes with it.
        :raises NoIdentity: saying how to tell it.
        """

    def releases(self, name: OperatorName) -> Sequence[Release]:
        """What is published there; empty if the repository is yet to be made."""

    def contents(self, path: Path, name: OperatorName) -> Contents:
        """What the branch has that a version of the operator at ``path`` goes to.

        :raises NotItsOwn: if that is something else than ``name``.
        :raises HubError: if it cannot go there for what is there.
        """

    def check(self, publication: Publication) -> None:
        """Refuse what could not be published there, before anybody is asked.

        :raises HubError: saying why.
        """

    def owner(self, release: Release) -> OperatorName | None:
        """Whose the release says that it is; None if nobody can tell."""

    def statement(self, publication: Publication) -> bytes:
        """What a sigstore bundle of the version has to sign; hashes every file.

        :raises HubError: if it cannot be told before the repository is made.
        """

    def publish(self, publication: Publication) -> str:
        """Send the files and their tag, and give the commit; the tag comes last.

        If it is signed, the signature comes before the tag.

        :raises HubError: and no tag is left, however it failed.
        """

    def yank(self, release: Release, reason: str) -> None:
        """Tag the release as withdrawn; what is installed and locked stays."""

    def restore(self, release: Release) -> None:
        """Take back what ``yank`` did."""


def open_target(spec: str, name: OperatorName, *, cache_dir: Path) -> Target:
    """The repository that ``git+URL`` or ``hf:ORG/REPO`` says, placeholders filled.

    :raises InvalidSource: if it is a source of another kind.
    """
    spec = spec.replace("{namespace}", name.namespace).replace("{name}", name.name)
    if spec.startswith(GIT):
        from hub_client.publisher.git_target import GitTarget  # noqa: PLC0415  (slow)

        return GitTarget(spec, cache_dir=cache_dir)
    if spec.startswith((HUGGING_FACE, HUGGING_FACE_AT)):
        from hub_client.publisher.hugging_face_target import (  # noqa: PLC0415
            HuggingFaceTarget,
        )

        return HuggingFaceTarget(spec)
    raise InvalidSource(
        f"expected a repository to publish to, got {spec!r}",
        hint="Write `git+URL` or `hf:ORG/REPO`",
    )
