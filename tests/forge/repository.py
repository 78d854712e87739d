"""A git repository as the forge reads it. Commits never change, so what was read once is kept; refs are read anew each time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from tests.forge.git import GitError, git, lines


@dataclass(frozen=True)
class Person:
    name: str
    email: str
    at: datetime


@dataclass(frozen=True)
class GitCommit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class GitTag:
    """`object` is what the ref holds: the tag's object when annotated; `commit` is None for a tag of a file or tree."""

    name: str
    object: str
    kind: str
    commit: str | None


class Repository:
    """One repository, thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._commits: dict[str, GitCommit] = {}
        self._ranges: dict[tuple[str, ...], list[str]] = {}
        self._bases: dict[tuple[str, str], str | None] = {}
        self._peeled: dict[str, str | None] = {}
        self._tag_objects: dict[str, list[str]] = {}  # the header's lines
        self._known: set[str] = set()  # full shas of commits
        self._lock = threading.Lock()

    @property
    def is_empty(self) -> bool:
        return not git(self.path, "for-each-ref", "--count=1").strip()

    def resolve(self, name: str) -> str | None:
        """The commit that a sha, tag or branch names, None when there is none."""
        if name in self._known:
            return name
        if name.startswith("-"):
            return None
        for prefix in ("", "refs/tags/", "refs/heads/"):
            try:
                sha = lines(self.path, "rev-parse", "--verify", "--quiet", f"{prefix}{name}^{{commit}}")[0]
            except GitError:
                continue
            self._known.add(sha)
            return sha
        return None

    def branch(self, name: str) -> str | None:
        """Its head, None when there is none of this name."""
        found = lines(self.path, "for-each-ref", "--format=%(objectname)", f"refs/heads/{name}")
        return found[0] if found else None

    def range(self, *arguments: str) -> list[str]:
        """`git rev-list arguments`, kept: shas only, so that it stays true."""
        with self._lock:
            if arguments not in self._ranges:
                self._ranges[arguments] = lines(self.path, "rev-list", *arguments)
            return self._ranges[arguments]

    def merge_base(self, a: str, b: str) -> str | None:
        if (a, b) not in self._bases:
            try:
                self._bases[a, b] = lines(self.path, "merge-base", a, b)[0]
            except GitError:
                self._bases[a, b] = None
        return self._bases[a, b]

    def commits(self, shas: Iterable[str]) -> list[GitCommit]:
        wanted = list(shas)
        with self._lock:
            new = [sha for sha in wanted if sha not in self._commits]
            if new:
                self._commits.update(self._read(new))
            return [self._commits[sha] for sha in wanted]

    def tags(self) -> list[GitTag]:
        """By name."""
        form = "%(refname:strip=2)%00%(objectname)%00%(objecttype)"
        found = git(self.path, "for-each-ref", f"--format={form}", "refs/tags").decode().splitlines()
        read = [line.split("\0") for line in found]
        self._peel([sha for _, sha, kind in read if kind == "tag"])
        return [GitTag(name, sha, kind, sha if kind == "commit" else self._peeled.get(sha)) for name, sha, kind in read]

    def tag_object(self, sha: str) -> tuple[str, str] | None:
        """What a tag object points at: (type, sha)."""
        header = self._header(sha)
        return (header[1].removeprefix("type "), header[0].removeprefix("object ")) if header else None

    def tagged_at(self, sha: str) -> datetime:
        """The tagger's date of a tag object."""
        return _person(next(line for line in self._header(sha) if line.startswith("tagger ")).removeprefix("tagger ")).at

    def changes(self, sha: str) -> list[tuple[str, str, str]]:
        """(letter, old path, new path) against the first parent, renames found as both forges do."""
        parents = self.commits([sha])[0].parents
        against = [parents[0], sha] if parents else ["--root", sha]
        words = git(self.path, "diff-tree", "-r", "-z", "-M", "--no-commit-id", "--name-status", *against).decode().split("\0")
        found = []
        position = 0
        while position + 1 < len(words):
            letter = words[position][0]
            step = 3 if letter in "RC" else 2
            found.append((letter, words[position + 1], words[position + step - 1]))
            position += step
        return found

    def _header(self, sha: str) -> list[str]:
        """Of a tag object; empty for what is none."""
        if sha not in self._tag_objects:
            try:
                text = git(self.path, "cat-file", "tag", sha).decode("utf-8", "replace")
            except GitError:
                return []
            self._tag_objects[sha] = text.partition("\n\n")[0].splitlines()
        return self._tag_objects[sha]

    def _peel(self, shas: Sequence[str]) -> None:
        """Find out which commits tag objects lead to, by one call: a real project has hundreds."""
        new = [sha for sha in shas if sha not in self._peeled]
        if new:
            asked = "".join(f"{sha}^{{commit}}\n" for sha in new).encode()
            told = git(self.path, "cat-file", "--batch-check", stdin=asked).decode().splitlines()
            for sha, line in zip(new, told, strict=True):
                self._peeled[sha] = None if line.endswith(" missing") else line[:40]

    def _read(self, shas: list[str]) -> dict[str, GitCommit]:
        out = git(self.path, "cat-file", "--batch", stdin="".join(f"{sha}\n" for sha in shas).encode())
        found = {}
        position = 0
        for sha in shas:
            end = out.index(b"\n", position)
            size = int(out[position:end].split()[2])
            found[sha] = _parse(sha, out[end + 1 : end + 1 + size])
            position = end + size + 2
        return found


def _parse(sha: str, raw: bytes) -> GitCommit:
    header, _, message = raw.decode("utf-8", "replace").partition("\n\n")
    rows = [line.split(" ", 1) for line in header.splitlines() if not line.startswith(" ")]
    values = dict(rows)
    parents = tuple(value for name, value in rows if name == "parent")
    return GitCommit(sha, values["tree"], parents, _person(values["author"]), _person(values["committer"]), message)


def _person(text: str) -> Person:
    who, when, offset = text.rsplit(" ", 2)
    name, _, email = who.rstrip(">").partition(" <")
    span = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])) * (-1 if offset[0] == "-" else 1)
    return Person(name, email, datetime.fromtimestamp(int(when), UTC).astimezone(timezone(span)))
