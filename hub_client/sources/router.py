"""Which source answers for a name: exactly one, chosen by the most specific rule."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hub_client.listed_file import AnyFile, ListingSource
from hub_client.sources import (
    BUNDLED,
    DIRECTORY,
    GIT,
    HUGGING_FACE,
    HUGGING_FACE_AT,
    INDEX,
    NamingSource,
)
from hub_client.sources.bundled import BundledSource
from hub_client.sources.directory import DirectorySource
from hub_client.sources.rules import InvalidSource, SourceRules
from hub_client.sources.signed_release import SigningSource
from hub_client.text_of_others import ONE_LINE
from hub_client.trust import is_trusted, locate
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hub_client.candidate import Fetchable, Release
    from hub_client.config import HubConfig
    from hub_client.sources import Source
    from hub_client.sources.signed_release import SignedRelease
    from plugin_spec.manifest import Manifest
    from plugin_spec.names import OperatorName


class NoListing(HubError):
    """A source gives trees, and does not say what is in one."""


class NoSignatures(HubError):
    """A source is of a kind that nobody can sign."""


class NoSource(HubError, LookupError):
    """No rule covers a name."""


def open_source(
    spec: str,
    *,
    cache_dir: Path,
    offline: bool = False,
    directory: Path | None = None,
    trusted: bool = False,
) -> Source:
    """The source that a spec describes, as ``Source`` modules say how it begins.

    :param directory: what a relative PATH starts from; the current folder if not given.
    :param trusted: whether it may be fetched from before it is decided what comes.
    :raises InvalidSource: if it describes none.
    """
    if not ONE_LINE.fullmatch(spec):
        raise InvalidSource(f"expected a source on one line, got {spec!r}")
    if spec == BUNDLED:
        return BundledSource()
    if spec.startswith(DIRECTORY):
        # As trust reads it: to the system, `..` behind a link leads somewhere else.
        return DirectorySource(Path(locate(spec, directory).removeprefix(DIRECTORY)))
    if spec.startswith(GIT):
        from hub_client.sources.git import GitSource  # noqa: PLC0415  (seldom needed)

        url = spec.removeprefix(GIT)
        return GitSource(url, cache_dir=cache_dir, offline=offline, trusted=trusted)
    if spec.startswith((HUGGING_FACE, HUGGING_FACE_AT)):
        from hub_client.sources.hugging_face import HuggingFaceSource  # noqa: PLC0415

        return HuggingFaceSource(spec, cache_dir=cache_dir, offline=offline)
    if spec.startswith(INDEX):
        from hub_client.sources.index import IndexSource  # noqa: PLC0415  (as above)

        url = spec.removeprefix(INDEX)
        return IndexSource(url, cache_dir=cache_dir, offline=offline)
    raise InvalidSource(
        f"expected a source, got {spec!r}",
        hint="Write `bundled`, `dir:PATH`, `git+URL`, `hf:ORG/REPO` or `index+URL`",
    )


def check_spec(spec: str, *, directory: Path | None = None) -> None:
    """Refuse a source that gives nothing to any name, as far as that shows unasked.

    :param directory: as for ``open_source``.
    :raises InvalidSource: if it describes none, or another error of its own kind.
    """
    filled = spec.replace("{namespace}", "x").replace("{name}", "x")
    if spec.startswith(GIT):
        from hub_client.git_url import parse_git_url  # noqa: PLC0415  (as above)

        parse_git_url(filled.removeprefix(GIT))
    elif spec.startswith((HUGGING_FACE, HUGGING_FACE_AT)):
        from hub_client.sources.hugging_face import parse_spec  # noqa: PLC0415

        parse_spec(filled)
    else:
        source = open_source(spec, cache_dir=Path(), directory=directory)
        if isinstance(source, DirectorySource) and "{" not in spec:
            source.check_folder()


class SourceRouter:
    """A source that asks, for each name, the one source that its rule points to.

    No second source is ever asked, so none can shadow a name.
    """

    def __init__(  # noqa: PLR0913  (each is another thing to know of a source)
        self,
        rules: Mapping[str, str],
        *,
        cache_dir: Path,
        offline: bool = False,
        directory: Path | None = None,
        on_remote: Callable[[], object] = lambda: None,
        is_trusted: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Start with rules.

        :param on_remote: called before a source is opened whose copy is in the cache.
        :param is_trusted: whether a source may be fetched from before it is decided
            what comes.
        """
        self._on_remote = on_remote
        self._is_trusted = is_trusted
        self._rules = SourceRules(rules)
        self._cache_dir = cache_dir
        self._offline = offline
        self._directory = directory
        self._opened: dict[str, Source] = {}

    @classmethod
    def configured(
        cls,
        config: HubConfig,
        *,
        directory: Path | None,
        on_remote: Callable[[], object] = lambda: None,
        trust_all: bool = False,
    ) -> Self:
        """Start with the rules of a configuration, and whom it trusts.

        :param directory: what relative sources start from.
        :param trust_all: trust every source.
        """
        trusted = partial(is_trusted, trusted=config.trusted, directory=directory)
        return cls(
            config.sources,
            cache_dir=config.cache_dir,
            offline=config.offline,
            directory=directory,
            on_remote=on_remote,
            is_trusted=(lambda _: True) if trust_all else trusted,
        )

    def source_spec(self, name: OperatorName) -> str:
        """The source of ``name`` as configuration writes it, placeholders filled.

        :raises NoSource: if no rule covers the name.
        """
        spec = self._rules.source_spec(name)
        if spec is None:
            raise NoSource(
                f"No source is configured for {name}",
                hint='Add `"*" = "bundled"` to `[tool.hub.sources]`, or a rule for it',
            )
        return spec

    def names(self) -> tuple[OperatorName, ...]:
        """Every name that a source can list and a rule sends there, sorted.

        A git source cannot list its operators; a rule for one name tells that name.
        """
        listed = {
            name
            for spec, source in self._listing_sources.items()
            for name in source.names()
            if self._rules.source_spec(name) == spec
        }
        return tuple(sorted(listed | self._rules.names()))

    def versions(self, name: OperatorName) -> Sequence[Release]:
        """Every release of ``name`` at its source."""
        return self._source(name).versions(name)

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """Read the manifest at its source."""
        return self._source(name).manifest(name, release)

    def holds(self, name: OperatorName, revision: str, source: str) -> bool:
        """Whether what a rule leads to still has ``revision``, in ``source``.

        A folder and the copy of an index are looked at. A repository is not asked: its
        commits do not change.
        """
        spec = self.source_spec(name)
        if spec.startswith(INDEX):
            from hub_client.sources.index import IndexSource  # noqa: PLC0415

            index = self._open(spec)
            return isinstance(index, IndexSource) and index.holds(
                name, revision, source
            )
        if source != spec:
            return False
        if _is_remote(spec):
            return True
        folder = self._open(spec)
        return isinstance(folder, DirectorySource) and folder.holds(name, revision)

    def fetch(self, wanted: Fetchable, into: Path) -> None:
        """Write the files of ``wanted`` into ``into``, from its own source.

        What was resolved or locked says where it is from; rules changed since do not.
        """
        self._open(wanted.source).fetch(wanted, into)

    def origin(self, wanted: Fetchable, directory: Path | None) -> str | None:
        """What source its files really come from; None if that is not known."""
        return locate(wanted.source, directory)

    def check_indexed(self, operators: Iterable[Fetchable]) -> list[str]:
        """As in ``sources.index``, of those that one answered for; offline, of none."""
        indexed = [each for each in operators if each.release.source is not None]
        if self._offline or not indexed:
            return []
        from hub_client.sources.index import check_indexed  # noqa: PLC0415  (as above)

        return check_indexed(indexed, self._open)

    def confirm(self, wanted: Fetchable, tree: Path) -> None:
        """Refuse files that are not what an index answered for them, if one did.

        :raises IndexDisagrees: naming the operator.
        """
        if wanted.release.source is not None:
            from hub_client.sources.index import IndexSource  # noqa: PLC0415

            index = self._source(wanted.name)
            assert isinstance(index, IndexSource)
            index.confirm(wanted, tree)

    def files(self, wanted: Fetchable) -> Sequence[AnyFile]:
        """What the source of ``wanted`` lists; nothing of it is fetched into the store.

        :raises NoListing: if such a source lists nothing.
        """
        source = self._open(wanted.source)
        if isinstance(source, ListingSource):
            return source.files(wanted)
        raise NoListing(f"`{wanted.source}` does not list its files")

    def releases_at_source(self, wanted: Fetchable) -> Sequence[Release]:
        """Every release that the source of ``wanted`` itself lists now."""
        return self._open(wanted.source).versions(wanted.name)

    def signed(self, wanted: Fetchable) -> SignedRelease:
        """What the publisher of ``wanted`` may have signed.

        :raises NoSignatures: if its source is of a kind that nobody can sign.
        """
        source = self._open(wanted.source)
        if isinstance(source, SigningSource):
            return source.signed(wanted)
        raise NoSignatures(
            f"{wanted.name} {wanted.release.version} has to be signed, and "
            f"`{wanted.source}` has no signatures: git and Hugging Face have",
            hint="Take it from there, or change `require-signature` "
            "in your `config.toml`",
        )

    @cached_property
    def _listing_sources(self) -> dict[str, NamingSource]:
        sources = {
            spec: self._open(spec)
            for spec in self._rules.specs()
            if spec.startswith((BUNDLED, DIRECTORY, INDEX)) and "{" not in spec
        }
        return {s: o for s, o in sources.items() if isinstance(o, NamingSource)}

    def _source(self, name: OperatorName) -> Source:
        return self._open(self.source_spec(name))

    def _open(self, spec: str) -> Source:
        # Once a run: an index is fetched when it is first asked.
        if spec not in self._opened:
            if _is_remote(spec):
                self._on_remote()
            self._opened[spec] = open_source(
                spec,
                cache_dir=self._cache_dir,
                offline=self._offline,
                directory=self._directory,
                trusted=self._is_trusted(spec),
            )
        return self._opened[spec]


def _is_remote(spec: str) -> bool:
    """Whether what a source gives is copied into the cache."""
    return not spec.startswith((BUNDLED, DIRECTORY))
