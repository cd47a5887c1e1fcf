"""Publishing to a git repository: one atomic push of a branch and a tag."""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING, Final

from hub_client.git_commands import GitFailed
from hub_client.git_url import parse_git_url
from hub_client.publisher.contents import Contents, claimed_name
from hub_client.publisher.remote import TIP, WHOLE, Remote
from hub_client.publisher.scratch_repository import ScratchRepository, check_identity
from hub_client.publisher.work_tree import Unpublishable, WorkTree
from hub_client.publisher.workspace import open_workspace
from hub_client.sources import GIT, MANIFEST_FILE, MANIFEST_SIZE_LIMIT
from hub_client.sources.git import GitSource
from hub_client.sources.git_mirror import SIGSTORE_NOTES
from hub_client.sources.version_tags import yank_tags
from hub_client.tree_digest import tree_digest
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hub_client.candidate import Release
    from hub_client.publisher.publication import Publication
    from plugin_spec.names import OperatorName


_SMALL: Final = ("--depth=1", f"--filter=blob:limit={MANIFEST_SIZE_LIMIT}")
"""To look at a commit: paths and manifest, and where the server can, no weights."""


class Diverged(HubError):
    """A commit does not follow what is published, so that it cannot be pushed."""


class GitTarget:
    """One repository, written to from a scratch repository of one command."""

    tells_reasons = True

    def __init__(self, spec: str, *, cache_dir: Path) -> None:
        self.spec = spec
        self._url = parse_git_url(spec.removeprefix(GIT))
        self._cache_dir = cache_dir
        self._source = GitSource(str(self._url), cache_dir=cache_dir)

    def is_there(self) -> bool:
        """Git makes no repositories: one that is not there is an error before this."""
        return True

    def check_author(self, path: Path, *, signed: bool) -> None:
        """Refuse what takes a commit or a note, if git does not know by whom.

        :raises NoIdentity: saying how to tell it.
        """
        tree = WorkTree.find(path)
        if signed or tree is None or not tree.is_whole:
            check_identity()

    def releases(self, name: OperatorName) -> Sequence[Release]:
        """What is published there; a repository may be empty, but has to be there."""
        return self._source.versions(name)

    def contents(self, path: Path, name: OperatorName) -> Contents:
        """The files of the branch; none if the author's commit is in it already.

        :raises NotItsOwn: if they are something else than ``name``.
        :raises Diverged: if the author's commit does not follow the branch.
        """
        tree = WorkTree.find(path)
        own = tree if tree is not None and tree.is_whole else None
        with open_workspace(self._cache_dir) as folder:
            scratch = ScratchRepository.create(
                folder / "git", borrowing=own.git_dir if own else None
            )
            branch, options = (own.branch, ()) if own else (None, _SMALL)
            branch, tip = self._branch(scratch, branch, *options)
            if own and tip and _follows(scratch, tip, own.commit):
                return Contents(self.spec)
            contents = self._contents(scratch, tip, takes_older=own is not None)
            if own is None:
                contents.check(name)
            else:
                # An author's own commit says itself what becomes of those before it.
                contents.check_name(name)
                self._check_follows(scratch, own.commit, branch, tip)
            return contents

    def check(self, publication: Publication) -> None:
        """Refuse a commit that has pointers for files, or is not what its tag names."""
        tree = publication.snapshot.work_tree
        if tree is None:
            return
        if pointers := publication.snapshot.pointers:
            raise Unpublishable(
                tree.folder,
                [f"{path!r} is kept by Git LFS" for path in pointers],
                hint="Git sources give the pointer and not the file: "
                "publish to `hf:ORG/REPO`, or commit the file itself",
            )
        made = tree.tag(publication.tag)
        if made and made[1] != tree.commit:
            raise HubError(
                f"The tag `{publication.tag}` here names another commit\n"
                f"  it names       {made[1]}\n"
                f"  checked out is {tree.commit}",
                hint=f"Check out the tag, or delete it with "
                f"`git tag --delete {publication.tag}`",
            )

    def owner(self, release: Release) -> OperatorName | None:
        """Whose the release's commit says that it is."""
        with open_workspace(self._cache_dir) as folder:
            scratch = ScratchRepository.create(folder / "git")
            scratch.hash_like(release.revision)
            self._remote(scratch).fetch(f"{release.ref}:{TIP}", *_SMALL)
            manifest = scratch.read(f"{TIP}^{{commit}}", MANIFEST_FILE)
        return None if manifest is None else claimed_name(manifest)

    def statement(self, publication: Publication) -> bytes:
        """The line on exactly the files that go out."""
        return publication.statement(tree_digest(publication.snapshot.folder))

    def publish(self, publication: Publication) -> str:
        """Push the author's own commit, or one of the folder's files.

        :returns: the commit that the tag names.
        :raises PushRefused: and nothing of it is there.
        :raises Diverged: if the author's commit does not follow the branch.
        :raises NotItsOwn: if the branch has something else than the operator.
        :raises VersionTaken: if it, or a newer one, was published meanwhile.
        """
        with open_workspace(self._cache_dir) as folder:
            work_tree = publication.snapshot.work_tree
            borrowing = None if work_tree is None else work_tree.git_dir
            scratch = ScratchRepository.create(folder / "git", borrowing=borrowing)
            if work_tree is None:
                commit, refspecs = self._new_commit(scratch, publication)
            else:
                commit, refspecs = self._own_commit(scratch, publication, work_tree)
            if publication.bundle is not None:
                note = self._new_note(scratch, commit, publication.bundle.content)
                refspecs = (*refspecs, note)
            self._remote(scratch).push(*refspecs)
        return commit

    def yank(self, release: Release, reason: str) -> None:
        """Push an annotated tag, whose message is the reason."""
        with open_workspace(self._cache_dir) as folder:
            scratch = ScratchRepository.create(folder / "git")
            scratch.hash_like(release.revision)
            self._remote(scratch).fetch(f"{release.ref}:{TIP}", "--depth=1")
            tag = f"yanked-v{release.version}"
            ref = scratch.annotate(tag, f"{TIP}^{{commit}}", reason)
            self._remote(scratch).push(f"{ref}:{ref}")

    def restore(self, release: Release) -> None:
        """Delete every tag that says it is withdrawn."""
        with open_workspace(self._cache_dir) as folder:
            scratch = ScratchRepository.create(folder / "git")
            scratch.hash_like(release.revision)
            remote = self._remote(scratch)
            if tags := yank_tags(remote.refs("refs/tags/yanked-v*"), release.version):
                remote.push(*(f":{tag}" for tag in tags))

    def _own_commit(
        self, scratch: ScratchRepository, publication: Publication, tree: WorkTree
    ) -> tuple[str, tuple[str, ...]]:
        """The author's commit, and their own tag of it if they made one."""
        self.check(publication)
        made = tree.tag(publication.tag)
        tag = f"{made[0] if made else tree.commit}:refs/tags/{publication.tag}"
        scratch.git("update-ref", "refs/heads/publish", tree.commit)
        branch, tip = self._branch(scratch, tree.branch)
        self._again(publication)
        if tip and _follows(scratch, tip, tree.commit):
            return tree.commit, (tag,)
        self._contents(scratch, tip).check_name(publication.name)
        self._check_follows(scratch, tree.commit, branch, tip)
        return tree.commit, (f"{tree.commit}:refs/heads/{branch}", tag)

    def _check_follows(
        self, scratch: ScratchRepository, commit: str, branch: str, tip: str | None
    ) -> None:
        if tip is None or _follows(scratch, commit, tip):
            return
        pull = join(["git", "pull", "--rebase", str(self._url), branch])
        raise Diverged(
            f"`{branch}` at `{self._url}` has commits that are not here",
            hint=WHOLE if scratch.is_shallow else f"Run `{pull}`, and publish again",
        )

    def _new_commit(
        self, scratch: ScratchRepository, publication: Publication
    ) -> tuple[str, tuple[str, ...]]:
        """A commit of exactly the files, after what the branch has.

        That of an older version is reached by its tag alone.
        """
        branch, tip = self._branch(scratch, None, "--depth=1")
        self._contents(scratch, tip).check(publication.name)
        publication = self._again(publication)
        snapshot = publication.snapshot
        tree = scratch.tree(snapshot.folder, [file.path for file in snapshot.files])
        message = f"{publication.name} {publication.version}"
        commit = scratch.commit(tree, message, parent=tip)
        tag = f"{commit}:refs/tags/{publication.tag}"
        if not publication.is_newest:
            return commit, (tag,)
        return commit, (f"{commit}:refs/heads/{branch}", tag)

    def _contents(
        self, scratch: ScratchRepository, tip: str | None, *, takes_older: bool = False
    ) -> Contents:
        if tip is None:
            return Contents(self.spec)
        manifest = scratch.read(tip, MANIFEST_FILE)
        return Contents(self.spec, scratch.paths(tip), manifest, takes_older)

    def _again(self, publication: Publication) -> Publication:
        """Hold it against what is published by now: a check may have taken minutes.

        To be asked after the branch: who moves that later makes the push fail.
        """
        return publication.against(self.releases(publication.name))

    def _new_note(self, scratch: ScratchRepository, commit: str, bundle: bytes) -> str:
        """The bundle beside those of other releases; gives what is to be pushed."""
        remote = self._remote(scratch)
        refspec = f"{SIGSTORE_NOTES}:{SIGSTORE_NOTES}"
        if remote.refs(SIGSTORE_NOTES):
            remote.fetch(refspec, "--depth=1")
        scratch.note(SIGSTORE_NOTES, commit, bundle)
        return refspec

    def _remote(self, scratch: ScratchRepository) -> Remote:
        return Remote(self._url, scratch)

    def _branch(
        self, scratch: ScratchRepository, wanted: str | None, *options: str
    ) -> tuple[str, str | None]:
        """The branch to push to, and its commit there, fetched; None if it is new."""
        remote = self._remote(scratch)
        default, branches = remote.branches()
        branch = wanted or default
        return branch, remote.tip(branch, *options) if branch in branches else None


def _follows(scratch: ScratchRepository, later: str, earlier: str) -> bool:
    try:
        scratch.git("merge-base", "--is-ancestor", earlier, later)
    except GitFailed:
        return False
    return True
