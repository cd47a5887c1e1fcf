"""Publishing to Hugging Face: one commit, its signature if it has one, then the tag."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hub_client.listed_file import list_folder
from hub_client.publisher.contents import Contents, claimed_name
from hub_client.publisher.publication import VersionTaken
from hub_client.sources import MANIFEST_FILE, MANIFEST_SIZE_LIMIT
from hub_client.sources.hugging_face import (
    SIGNATURE_SUFFIX,
    SIGNATURES,
    list_branches,
    list_files,
    list_tags,
    parse_spec,
    sha256_of,
    signature_file,
)
from hub_client.sources.hugging_face_client import (
    FileGone,
    RepositoryMissing,
    RepositoryRefused,
    ServerUnreachable,
)
from hub_client.sources.version_tags import read_releases, yank_tags
from hub_client.tree_digest import listing_digest
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from hub_client.candidate import Release
    from hub_client.listed_file import ListedFile
    from hub_client.publisher.publication import AttachedBundle, Publication
    from hub_client.publisher.snapshot import Snapshot
    from plugin_spec.names import OperatorName

T = TypeVar("T")

_MAIN: Final = "main"
_SERVERS_OWN: Final = ".gitattributes"
"""Which files are large: the server writes it, unless an author does."""

_WITHOUT_XET: Final = (
    "Set HF_HUB_DISABLE_XET=1 and run this again: "
    "the server seems to have no Xet storage"
)


class UploadRefused(HubError):
    """A server did not take what was sent, and has no new version."""


class CardRefused(HubError):
    """A server does not take the metadata in ``README.md``."""


class BranchMissing(RepositoryRefused, LookupError):
    """A repository is there, and what is published to is not in it."""


class Overtaken(UploadRefused):
    """Somebody else changed a repository while a version was sent."""


class Unanswered(HubError):
    """A server may have done what was asked: it does not say."""


class TagRefused(HubError):
    """A server has the files of a version, and not its signature or its tag."""


class NotMadeYet(HubError):
    """What is to be signed cannot be told before its repository is there."""


class HuggingFaceTarget:
    """One model repository, made if it is not there."""

    tells_reasons = False
    """A server lists tags without their messages."""

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

    def check_author(self, path: Path, *, signed: bool) -> None:
        """The server makes commits in the name of who holds the token."""

    def releases(self, name: OperatorName) -> Sequence[Release]:
        """What is published there; nothing if there is no such repository yet."""
        del name
        try:
            return read_releases(list_tags(self._repository), {})
        except RepositoryMissing:
            return ()

    def contents(self, path: Path, name: OperatorName) -> Contents:
        """The files of the repository's page; none if it is still to be made.

        :raises NotItsOwn: if they are something else than ``name``.
        """
        del path
        try:
            tip = self._tip(_MAIN)
        except RepositoryMissing:
            return Contents(self.spec)
        contents = self._contents(tip, list_files(self._repository, tip))
        contents.check(name)
        return contents

    def check(self, publication: Publication) -> None:
        """Nothing that is checked and readable is refused there."""

    def owner(self, release: Release) -> OperatorName | None:
        """Whose the release's commit says that it is."""
        manifest = self._manifest(release.revision)
        return None if manifest is None else claimed_name(manifest)

    def statement(self, publication: Publication) -> bytes:
        """The line on the files, and on the server's ``.gitattributes`` among them.

        :raises NotMadeYet: if the server has still to write that file.
        """
        return publication.statement(self._tree(publication, self._base(publication)))

    def publish(self, publication: Publication) -> str:
        """Commit the files, and tag them when all are there.

        What an earlier try sent is not sent again. An older version is committed to a
        branch of its own, so that the repository's page stays that of the newest.

        :returns: the commit that the tag names.
        :raises VersionTaken: if it, or a newer one, was published meanwhile.
        :raises NotItsOwn: if the branch has something else than the operator.
        :raises UploadRefused: and there is no new version.
        :raises TagRefused: if the files are there, and the signature or the tag is not.
        """
        repository = self._repository
        publication = publication.against(self.releases(publication.name))
        self._send(lambda api: api.create_repo(repository.name, exist_ok=True))
        branch = _branch(publication)
        if branch != _MAIN:
            self._make_branch(branch)
        message = f"{publication.name} {publication.version}"
        commit = self._commit(publication, branch, message)
        if publication.bundle is not None:
            self._sign(publication, publication.bundle, commit)
        self._tag(publication, commit)
        return commit

    def yank(self, release: Release, reason: str) -> None:
        """Tag the release's commit as withdrawn."""
        tag = f"yanked-v{release.version}"
        try:
            self._send(
                lambda api: api.create_tag(
                    self._repository.name,
                    tag=tag,
                    revision=release.revision,
                    tag_message=reason,
                )
            )
        except UploadRefused as error:
            if f"refs/tags/{tag}" not in self._tags_after(error):
                raise

    def restore(self, release: Release) -> None:
        """Delete every tag that says it is withdrawn."""
        for tag in yank_tags(list_tags(self._repository), release.version):
            self._delete_tag(tag)

    def _delete_tag(self, ref: str) -> None:
        tag = ref.removeprefix("refs/tags/")
        try:
            self._send(lambda api: api.delete_tag(self._repository.name, tag=tag))
        except UploadRefused as error:
            if ref in self._tags_after(error):
                raise

    def _contents(self, commit: str, files: Iterable[ListedFile]) -> Contents:
        paths = frozenset(each.path for each in files) - {_SERVERS_OWN}
        manifest = self._manifest(commit) if MANIFEST_FILE in paths else None
        return Contents(self.spec, paths, manifest)

    def _manifest(self, commit: str) -> bytes | None:
        try:
            found = self._repository.download(
                MANIFEST_FILE, commit, limit=MANIFEST_SIZE_LIMIT
            )
        except FileGone:
            return None
        return found.read_bytes()

    def _commit(self, publication: Publication, branch: str, message: str) -> str:
        """Make the branch hold exactly the files, and give its commit."""
        tip = self._tip(branch)
        files = list_files(self._repository, tip)
        self._contents(tip, files).check(publication.name)
        operations = self._operations(publication.snapshot, files)
        if not operations:
            return tip
        tries = count()

        def commit(api: Any) -> str:  # noqa: ANN401  (its package may be missing)
            if next(tries) and (made := self._made(publication, branch, tip)):
                return made
            try:
                made = api.create_commit(
                    self._repository.name,
                    operations,
                    commit_message=message,
                    revision=branch,
                    parent_commit=tip,
                )
            except ValueError as error:
                raise _card_refused(error) from error
            return str(made.oid)

        try:
            return self._send(commit)
        except UploadRefused as error:
            with suppress(RepositoryRefused, ServerUnreachable):
                if made := self._made(publication, branch, tip):
                    return made
                if self._tip(branch) != tip:
                    raise Overtaken(
                        f"Somebody pushed to `{self._repository.url}` meanwhile, and "
                        "it did not take this",
                        hint="Run this again",
                    ) from error
            raise

    def _made(self, publication: Publication, branch: str, tip: str) -> str | None:
        """The commit of an earlier try, if it is there and its answer was lost."""
        now = self._tip(branch)
        if now == tip:
            return None
        files = list_files(self._repository, now)
        return None if self._operations(publication.snapshot, files) else now

    def _operations(self, snapshot: Snapshot, files: Iterable[ListedFile]) -> list[Any]:
        """What makes the files of a commit those of the snapshot."""
        from huggingface_hub import (
            CommitOperationAdd,
            CommitOperationDelete,
        )

        there = {each.path: each for each in files}
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

    def _sign(
        self, publication: Publication, bundle: AttachedBundle, commit: str
    ) -> None:
        """Put the bundle where users look for it, if it signs what is there now."""
        changed = [
            str(each.path_in_repo)
            for each in self._operations(
                publication.snapshot, list_files(self._repository, commit)
            )
        ]
        statement = publication.statement(self._tree(publication, commit))
        if changed or statement != bundle.statement:
            raise TagRefused(
                self._half(publication, commit, f"tag `{publication.tag}`")
                + f"\n  its `{(changed or [_SERVERS_OWN])[0]}` is not the one that was "
                "signed",
                hint="The server wrote it: put its file in the place of yours, if you "
                "have one, and sign what `--statement FILE` writes then",
            )
        try:
            self._put_bundle(signature_file(publication.version), bundle.content)
        except HubError as error:
            raise TagRefused(
                self._half(publication, commit, "signature")
                + f"\n  the server says: {error}",
                hint="Run this again: it sends no file twice, then signs and tags",
            ) from error

    def _put_bundle(self, file: str, content: bytes) -> None:
        """Commit one bundle to the branch that has those of all versions."""
        from huggingface_hub import (
            CommitOperationAdd,
            CommitOperationDelete,
        )

        self._make_branch(SIGNATURES)
        tip = self._tip(SIGNATURES)
        # A branch begins with the files of another.
        others = (
            each.path
            for each in list_files(self._repository, tip)
            if each.path != _SERVERS_OWN and not each.path.endswith(SIGNATURE_SUFFIX)
        )
        operations = [
            CommitOperationAdd(file, content),
            *map(CommitOperationDelete, sorted(others)),
        ]
        self._send(
            lambda api: api.create_commit(
                self._repository.name,
                operations,
                commit_message=f"Add {file}",
                revision=SIGNATURES,
                parent_commit=tip,
            )
        )

    def _tag(self, publication: Publication, commit: str) -> None:
        try:
            self._send(
                lambda api: api.create_tag(
                    self._repository.name, tag=publication.tag, revision=commit
                )
            )
        except UploadRefused as error:
            found = self._tags_after(error).get(f"refs/tags/{publication.tag}")
            if found == commit:
                return
            if found is not None:
                raise VersionTaken(
                    f"Somebody published {publication.name} {publication.version} "
                    f"meanwhile, as commit {found}",
                    hint=f"Raise `version` in `{MANIFEST_FILE}`: a version never "
                    "changes",
                ) from error
            raise TagRefused(
                self._half(publication, commit, f"tag `{publication.tag}`")
                + f"\n  the server says: {error}",
                hint="Run this again: it sends nothing twice, and makes the tag",
            ) from error

    def _tags_after(self, failure: UploadRefused) -> dict[str, str]:
        """The tags there are, where a change failed: its answer may be lost.

        :raises Unanswered: if they cannot be had.
        """
        try:
            return list_tags(self._repository)
        except HubError as error:
            raise Unanswered(
                f"`{self._repository.url}` does not say whether it took it: "
                f"{failure.__cause__}",
                hint="Run this again when it answers: it sends nothing twice",
            ) from error

    def _half(self, publication: Publication, commit: str, missing: str) -> str:
        """How far it came, for the beginning of a message."""
        return (
            f"`{self._repository.url}` has the files of {publication.name} "
            f"{publication.version} as commit {commit},\n"
            f"  and not its {missing}: nobody sees the version yet"
        )

    def _tree(self, publication: Publication, commit: str | None) -> str:
        """The digest that users get, who have the server's own file of ``commit`` too.

        :param commit: None if there is none yet.
        """
        listed = list_folder(publication.snapshot.folder)
        digests = {file.path: file.digest.removeprefix("sha256:") for file in listed}
        if _SERVERS_OWN not in digests:
            if commit is None:
                raise NotMadeYet(
                    f"`{self.spec}` is still to be made, and with it comes a "
                    f"`{_SERVERS_OWN}` of its server, which is signed too",
                    hint=f"Make it first: `hf repos create {self._repository.name}`; "
                    f"or put a `{_SERVERS_OWN}` of your own among the files",
                )
            for file in list_files(self._repository, commit):
                if file.path == _SERVERS_OWN:
                    digests[file.path] = sha256_of(self._repository, commit, file)
        return listing_digest(digests)

    def _base(self, publication: Publication) -> str | None:
        """The commit that the publication's would follow; None if there is none."""
        try:
            return self._tip(_branch(publication), _MAIN)
        except RepositoryMissing:
            return None

    def _make_branch(self, branch: str) -> None:
        self._send(
            lambda api: api.create_branch(
                self._repository.name, branch=branch, exist_ok=True
            )
        )

    def _tip(self, *branches: str) -> str:
        """The newest commit of the first of these branches that is there.

        :raises BranchMissing: if none is.
        """
        tips = list_branches(self._repository)
        for branch in branches:
            if branch in tips:
                return tips[branch]
        raise BranchMissing(
            f"`{self._repository.url}` has no branch `{branches[-1]}`",
            hint="Make it on the repository's page, or publish to a new repository",
        )

    def _send(self, question: Callable[[Any], T]) -> T:
        """Ask for a change; what the server answers is told in its own words."""
        try:
            # What is sent takes as long as it takes.
            return self._repository.ask(question, patience=inf)
        except HubError as error:
            hint = _WITHOUT_XET if "xet-write-token" in str(error) else error.hint
            raise UploadRefused(
                f"`{self._repository.url}` did not take it: {error}", hint=hint
            ) from error


def _card_refused(error: ValueError) -> Exception:
    """What the client raises where its server takes no ``README.md``, as ours."""
    from huggingface_hub.errors import BadRequestError

    if not isinstance(error.__cause__, BadRequestError):
        return error
    lines = "\n  ".join(str(error).splitlines())
    return CardRefused(lines, hint="Mend the lines between `---` in `README.md`")


def _branch(publication: Publication) -> str:
    """Where a version is committed: an older one leaves the repository's page alone."""
    return _MAIN if publication.is_newest else f"release/{publication.version}"
