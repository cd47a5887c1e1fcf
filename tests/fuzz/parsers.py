"""Everything that reads what others wrote, as a function of bytes.

Each raises our own error or nothing; what it accepts, it reads again as it writes it.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from packaging.version import Version

from hub_client.bundle.listing import BundleListing
from hub_client.bundle.platforms import Platform
from hub_client.config import HubConfig
from hub_client.git_url import parse_git_url
from hub_client.index.entry import IndexEntry
from hub_client.index.listing import parse_listing
from hub_client.lockfile import Lockfile
from hub_client.lockfile.merging import read_both_sides
from hub_client.project import Project
from hub_client.publisher.pinned import parse_pinned
from hub_client.receipt import Receipt
from hub_client.signatures import parse_signer
from hub_client.sources.hugging_face import parse_spec
from hub_client.sources.router import check_spec
from hub_client.sources.version_tags import read_releases
from hub_client.trust import check_entry, locate, read_document
from plugin_spec import strict_yaml
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement
from plugin_spec.spaces import EmbeddingSpace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EMBED = OperatorName.parse("acme/embed")


def text(data: bytes) -> str:
    """Any text, from any bytes: also the surrogates that file names may hold."""
    return data.decode("utf-8", "surrogateescape")


def name(data: bytes) -> None:
    parsed = OperatorName.parse(text(data))
    assert OperatorName.parse(str(parsed)) == parsed


def requirement(data: bytes) -> None:
    parsed = Requirement.parse(text(data))
    assert Requirement.parse(str(parsed)) == parsed
    parsed.accepts(Version("1.0"))


def pinned(data: bytes) -> None:
    operator, version = parse_pinned(text(data))
    assert parse_pinned(f"{operator}=={version}") == (operator, version)


def version_tags(data: bytes) -> None:
    refs = [f"refs/tags/{line}" for line in text(data).split("\n")]
    for release in read_releases(dict.fromkeys(refs, "a" * 40), {}):
        assert release.ref in refs
        assert Version(str(release.version)) == release.version


def yaml(data: bytes) -> None:
    try:
        document = strict_yaml.read_yaml(data)
    except strict_yaml.UnreadableYaml:  # A manifest says it in our own words.
        return
    assert strict_yaml.read_yaml(data).value == document.value


def manifest(data: bytes) -> None:
    parsed = Manifest.from_yaml(data)
    assert Manifest.from_dict(parsed.to_dict()) == parsed


def lock(data: bytes) -> None:
    # Entries come back in their written order, whatever order they had.
    written = Lockfile.loads(text(data)).dumps()
    assert Lockfile.loads(written).dumps() == written


def merge(data: bytes) -> None:
    read_both_sides(text(data))


def project(data: bytes, file: str = "hub.toml") -> None:
    parsed = Project.parse(Path(file), text(data))
    assert Project.parse(Path(file), parsed.text) == parsed


def pyproject(data: bytes) -> None:
    project(data, "pyproject.toml")


def index_entry(data: bytes) -> None:
    parsed = IndexEntry.parse(EMBED, data, where="entry")
    again = b"".join(version.to_line() for version in parsed.versions)
    assert IndexEntry.parse(EMBED, again, where="entry") == parsed
    for version in parsed.versions:
        version.manifest(EMBED, where="entry")


def index_listing(data: bytes) -> None:
    for listed in (parsed := parse_listing(text(data), where="list")):
        assert parse_listing(f"{listed.name} {listed.source}", where="list") == (
            listed,
        )
    assert len({listed.name for listed in parsed}) == len(parsed)


def bundle(data: bytes) -> None:
    parsed = BundleListing.loads(data, place="bundle")
    assert BundleListing.loads(parsed.dumps(), place="bundle") == parsed


def receipt(data: bytes) -> None:
    parsed = Receipt.from_json(data, where="receipt")
    assert Receipt.from_json(parsed.to_json().encode(), where="receipt") == parsed


def space(data: bytes) -> None:
    parsed = EmbeddingSpace.from_json(data)
    assert EmbeddingSpace.from_dict(parsed.to_dict()) == parsed


def git_url(data: bytes) -> None:
    parsed = parse_git_url(text(data))
    assert parse_git_url(str(parsed)) == parsed


def hugging_face(data: bytes) -> None:
    parse_spec(text(data))


def source(data: bytes) -> None:
    check_spec(text(data))


def trusted(data: bytes) -> None:
    written = check_entry(locate(text(data), Path("/")))
    again = check_entry(locate(written, Path("/")))
    assert {written, again} <= {again, again.rstrip("/")}


def signing_key(data: bytes) -> None:
    parsed = parse_signer(text(data))
    assert parse_signer(parsed.text) == parsed


def platform(data: bytes) -> None:
    words = text(data).split("\n")
    parsed = Platform.parse(words[0], words[-1])
    assert Platform.parse(parsed.name, parsed.python) == parsed


def configuration(data: bytes) -> None:
    """As the user's ``config.toml``, which trust is written into."""
    with configured(user=data) as (user, work):
        HubConfig.load(directory=work)
        read_document(user)


def project_configuration(data: bytes) -> None:
    with configured(work=data) as (_, work):
        HubConfig.load(directory=work)


@contextmanager
def configured(*, user: bytes = b"", work: bytes = b"") -> Iterator[tuple[Path, Path]]:
    """The folders of a user's and of a project's configuration, with these in them."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "user", "config.toml"), Path(folder, "work", "hub.toml")
        for file, content in zip(files, (user, work), strict=True):
            file.parent.mkdir()
            file.write_bytes(content)
        with patch.dict(os.environ, HUB_CONFIG_DIR=str(files[0].parent)):
            yield files[0].parent, files[1].parent


PARSERS: Final[dict[str, Callable[[bytes], None]]] = {
    each.__name__: each
    for each in (
        name,
        requirement,
        pinned,
        version_tags,
        yaml,
        manifest,
        lock,
        merge,
        project,
        pyproject,
        index_entry,
        index_listing,
        bundle,
        receipt,
        space,
        git_url,
        hugging_face,
        source,
        trusted,
        signing_key,
        platform,
        configuration,
        project_configuration,
    )
}
