"""Publishing to Hugging Face: one commit, large files by LFS, then the tag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from hub_client.sources.hugging_face import list_files, list_tags, parse_spec
from hub_client.sources.hugging_face_client import RepositoryMissing
from hub_client.sources.version_tags import read_releases
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub_client.candidate import Release
    from hub_client.publisher.publication import Publication
    from hub_client.publisher.snapshot import Snapshot
    from plugin_spec.names import OperatorName

T = TypeVar("T")

_MAIN: Final = "main"
_SERVERS_OWN: Final = ".gitattributes"
"""Which files are large: the server writes it, unless an author does."""


class UploadRefused(HubError):
    """A server did not take what was sent, and has no new version."""


class TagRefused(HubError):
    """A server has the files of a version, and would not tag them."""


class HuggingFaceTarget:
    """One model repository, made if it is not there."""

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self._repository = parse_spec(spec)

    def is_there(self) -> bool:
        """Whether the repository exists, as far as the user may see."""
        try:
            list_tags(self._repository)
        except RepositoryMissing:
            return False
        return True

    def releases(self, name: OperatorName) -> Sequence[Release]:
        """What is published there; nothing if there is no such repository yet."""
        del name
        try:
            return read_releases(list_tags(self._repository), {})
        except RepositoryMissing:
            return ()

    def publish(self, publication: Publication) -> str:
        """Commit the files, and tag them when all are there.

        What an earlier try sent is not sent again. An older version is committed to a
        branch of its own, so that the repository's page stays that of the newest.

        :returns: the commit that the tag names.
        :raises UploadRefused: and there is no new version.
        :raises TagRefused: if the files are there and the tag is not.
        """
        repository = self._repository
        self._send(lambda api: api.create_repo(repository.name, exist_ok=True))
        branch = _MAIN
        if not publication.is_newest:
            branch = f"release/{publication.version}"
            self._send(
                lambda api: api.create_branch(
                    repository.name, branch=branch, exist_ok=True
                )
            )
        message = f"{publication.name} {publication.version}"
        commit = self._commit(publication.snapshot, branch, message)
        self._tag(publication, commit)
        return commit

    def yank(self, release: Release, reason: str) -> None:
        """Tag the release's commit as withdrawn."""
        self._send(
            lambda api: api.create_tag(
                self._repository.name,
                tag=f"yanked-v{release.version}",
                revision=release.revision,
                tag_message=reason,
            )
        )

    def restore(self, release: Release) -> None:
        """Delete the tag that says it is withdrawn."""
        tag = f"yanked-v{release.version}"
        self._send(lambda api: api.delete_tag(self._repository.name, tag=tag))

    def _commit(self, snapshot: Snapshot, branch: str, message: str) -> str:
        """Make the branch hold exactly the files, and give its commit."""
        tip = self._tip(branch)
        operations = self._operations(snapshot, tip)
        if not operations:
            return tip
        made = self._send(
            lambda api: api.create_commit(
                self._repository.name,
                operations,
                commit_message=message,
                revision=branch,
                parent_commit=tip,
            )
        )
        return str(made.oid)

    def _operations(self, snapshot: Snapshot, tip: str) -> list[Any]:
        """What makes the files of a commit those of the snapshot."""
        from huggingface_hub import (
            CommitOperationAdd,
            CommitOperationDelete,
        )

        there = {each.path: each for each in list_files(self._repository, tip)}
        paths = {file.path for file in snapshot.files}
        changed = (
            path
            for path in sorted(paths)
            if path not in there or not there[path].describes(snapshot.folder / path)
        )
        return [
            *(CommitOperationAdd(path, snapshot.folder / path) for path in changed),
            *(
                CommitOperationDelete(path)
                for path in sorted(there.keys() - paths - {_SERVERS_OWN})
            ),
        ]

    def _tag(self, publication: Publication, commit: str) -> None:
        try:
            self._send(
                lambda api: api.create_tag(
                    self._repository.name, tag=publication.tag, revision=commit
                )
            )
        except HubError as error:
            raise TagRefused(
                f"`{self._repository.url}` has the files of {publication.name} "
                f"{publication.version} as commit {commit},\n"
                f"  and not its tag `{publication.tag}`: nobody sees the version yet\n"
                f"  the server says: {error}",
                hint="Run this again: it sends nothing twice, and makes the tag",
            ) from error

    def _tip(self, branch: str) -> str:
        refs = self._repository.ask(
            lambda api: api.list_repo_refs(self._repository.name)
        )
        (commit,) = (ref.target_commit for ref in refs.branches if ref.name == branch)
        return str(commit)

    def _send(self, question: Callable[[Any], T]) -> T:
        """Ask for a change; what the server answers is told in its own words."""
        try:
            return self._repository.ask(question)
        except HubError as error:
            raise UploadRefused(
                f"`{self._repository.url}` did not take it: {error}", hint=error.hint
            ) from error
