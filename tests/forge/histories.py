"""Builds git histories for tests through `git fast-import`: any shape, any dates, 10,000 commits in a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.forge.git import git

START = 1_700_000_000  # of the clock, in epoch seconds
_SCRATCH = "refs/scratch"
AUTHOR = "Ann Author <ann@example.org>"
COMMITTER = "Cem Committer <cem@example.org>"


@dataclass(frozen=True)
class Built:
    """A bare repository. `sha` knows each commit by its label and by the names of its tags and branches."""

    path: Path
    sha: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]  # by sha

    def range(self, base: str, head: str) -> set[str]:
        """base..head by its definition, from the parents alone: git's own walk errs when clocks run backwards."""
        return self.reachable(head) - self.reachable(base)

    def reachable(self, sha: str) -> set[str]:
        seen, todo = set(), [sha]
        while todo:
            if (at := todo.pop()) not in seen:
                seen.add(at)
                todo += self.parents[at]
        return seen


@dataclass
class History:
    """Commits by label, then `build`. A commit lives on when no ref reaches it: forges keep what was forced away."""

    stream: list[bytes] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)  # refs that only fast-import needed
    clock: int = START

    def commit(
        self,
        label: str,
        *parents: str,
        files: Mapping[str, str | None] | None = None,
        message: str | None = None,
        at: int | None = None,
        author: str = AUTHOR,
        authored_at: int | None = None,
    ) -> str:
        """`files`: path to content, None removes. `at` is the committer's epoch; the clock else ticks a minute a commit."""
        self.clock += 60
        when = self.clock if at is None else at
        mark = self._mark(label)
        self.parents[label] = parents
        if not parents:
            self._line(f"reset {_SCRATCH}\n")
        self._line(f"commit {_SCRATCH}", f"mark :{mark}")
        self._line(f"author {author} {when if authored_at is None else authored_at} +0200")
        self._line(f"committer {COMMITTER} {when} +0100")
        self._data(f"{label}\n\nAll of it.\n" if message is None else message)
        for word, parent in zip(("from", *["merge"] * len(parents)), parents, strict=False):
            self._line(f"{word} :{self.marks[parent]}")
        for path, content in ({f"src/{label}": label} if files is None else files).items():
            if content is None:
                self._line(f"D {path}")
            else:
                self._line(f"M 100644 inline {path}")
                self._data(content)
        self._line("")
        return label

    def line(self, prefix: str, count: int, *parents: str) -> list[str]:
        """`count` commits in a row on top of `parents`: prefix1, prefix2, ..."""
        labels: list[str] = []
        for number in range(1, count + 1):
            labels.append(self.commit(f"{prefix}{number}", *(labels[-1:] or parents)))
        return labels

    def tag(self, name: str, label: str, *, depth: int = 0, at: int | None = None) -> None:
        """Lightweight; annotated with depth 1, a tag of that tag with depth 2, and so on. `name` set again moves it. `at`: the
        tagger's date, as epoch seconds."""
        target = self.marks[label]
        for level in range(depth):
            mark = self._mark(f"tag object {len(self.marks)}")
            inner = level < depth - 1
            self._line(f"tag {name}-{level}-inner" if inner else f"tag {name}", f"mark :{mark}")
            self.hidden += [f"delete refs/tags/{name}-{level}-inner\n"] if inner else []
            self._line(f"from :{target}", f"tagger {COMMITTER} {self.clock if at is None else at} +0000")
            self._data(f"{name}, level {level}\n")
            target = mark
        if depth == 0:
            self._line(f"reset refs/tags/{name}", f"from :{target}", "")
        self.names[name] = label

    def branch(self, name: str, label: str) -> None:
        self._line(f"reset refs/heads/{name}", f"from :{self.marks[label]}", "")
        self.names[name] = label

    def build(self, path: Path) -> Built:
        """Write it to `path` as a bare repository, with a commit-graph: without one git prunes its walks by date."""
        path.mkdir(parents=True)
        git(path, "init", "--bare", "--quiet", "--template=", "--initial-branch=main", ".")
        marks_file = path / "marks"
        stream = b"".join([*self.stream, f"reset {_SCRATCH}\nfrom {'0' * 40}\n\n".encode()])
        git(path, "fast-import", "--quiet", "--force", f"--export-marks={marks_file}", stdin=stream)
        if self.hidden:
            git(path, "update-ref", "--stdin", stdin="".join(dict.fromkeys(self.hidden)).encode())
        by_mark = dict(line.split() for line in marks_file.read_text().splitlines())
        sha = {label: by_mark[f":{self.marks[label]}"] for label in self.parents}
        ids = "".join(f"{sha[label]}\n" for label in self.parents).encode()
        git(path, "commit-graph", "write", "--stdin-commits", "--no-progress", stdin=ids)
        parents = {sha[label]: tuple(sha[parent] for parent in of) for label, of in self.parents.items()}
        return Built(path, {**sha, **{name: sha[label] for name, label in self.names.items()}}, parents)

    def _mark(self, label: str) -> int:
        assert label not in self.marks, f"{label} is there already"
        self.marks[label] = len(self.marks) + 1
        return self.marks[label]

    def _line(self, *lines: str) -> None:
        self.stream.append("".join(f"{line}\n" for line in lines).encode())

    def _data(self, text: str) -> None:
        content = text.encode()
        self.stream.append(b"data %d\n%s\n" % (len(content), content))


def linear() -> History:
    """v1.0.0 - three commits - v1.1.0 - two commits - v1.2.0, all annotated."""
    made = History()
    at: list[str] = []
    for version, count in (("v1.0.0", 2), ("v1.1.0", 3), ("v1.2.0", 2)):
        at = made.line(f"{version}-", count, *at[-1:])
        made.tag(version, at[-1], depth=1)
    made.branch("main", at[-1])
    return made


def merges() -> History:
    """A side branch that forked before v1.1.0 is merged after it: its commits belong to v1.2.0."""
    made = History()
    made.line("a", 3)
    made.tag("v1.0.0", "a2")
    made.line("side", 2, "a2")
    made.line("b", 2, "a3")
    made.tag("v1.1.0", "b2")
    made.commit("m", "b2", "side2")
    made.commit("c", "m")
    made.commit("octopus", "c", "side1", "a1")
    made.tag("v1.2.0", "octopus")
    made.branch("main", "octopus")
    return made


def backport() -> History:
    """v2.0.0 on main; v1.0.1 and v1.0.2 on a branch cut from v1.0.0, tagged later than v2.0.0."""
    made = History()
    made.line("a", 3)
    made.tag("v1.0.0", "a3")
    made.line("b", 4, "a3")
    made.tag("v2.0.0", "b4")
    made.branch("main", "b4")
    made.line("fix", 2, "a3")
    made.tag("v1.0.1", "fix1", depth=1)
    made.tag("v1.0.2", "fix2")
    made.branch("1.x", "fix2")
    return made


def criss_cross() -> History:
    """Two branches merged into each other: two best merge bases. Tags on both sides and on top."""
    made = History()
    made.line("root", 1)
    made.commit("l1", "root1")
    made.commit("r1", "root1")
    made.commit("l2", "l1", "r1")
    made.commit("r2", "r1", "l1")
    made.tag("v1.0.0", "l2")
    made.tag("v1.1.0", "r2")
    made.commit("top", "l2", "r2")
    made.tag("v1.2.0", "top")
    made.branch("main", "top")
    return made


def force_push() -> History:
    """main was old3 and is new2 now, both on a2: old1..old3 are on no ref any more."""
    made = History()
    made.line("a", 2)
    made.tag("v1.0.0", "a2")
    made.line("old", 3, "a2")
    made.line("new", 2, "a2")
    made.tag("v1.1.0", "new2")
    made.branch("main", "new2")
    return made


def rebased_base() -> History:
    """The commit that v1.0.0 pointed at was rebased away: v1.0.0 is no ancestor of v1.1.0, but shares a merge base."""
    made = History()
    made.line("a", 2)
    made.line("before", 2, "a1")
    made.tag("v1.0.0", "before2")
    made.line("after", 2, "a2")
    made.line("b", 2, "after2")
    made.tag("v1.1.0", "b2")
    made.branch("main", "b2")
    return made


def moved_tag() -> History:
    """v1.1.0 was b1 first and is b3 now."""
    made = History()
    made.line("a", 2)
    made.tag("v1.0.0", "a2")
    made.line("b", 3, "a2")
    made.tag("v1.1.0", "b1")
    made.tag("v1.1.0", "b3")
    made.branch("main", "b3")
    return made


def monorepo() -> History:
    """`api@1.x` and `web/v3.x` take turns on one line; `latest` and `apiary@9` are no predecessors of api."""
    made = History()
    at = made.line("c", 8)
    for name, label in (
        ("api@1.0.0", "c1"),
        ("web/v3.0.0", "c2"),
        ("apiary@9.0.0", "c3"),
        ("api@1.1.0", "c4"),
        ("web/v3.1.0", "c6"),
        ("api@1.2.0", "c7"),
        ("latest", "c7"),
        ("web/v3.2.0", "c8"),
    ):
        made.tag(name, label, depth=len(name) % 2)
    made.branch("main", at[-1])
    return made


def pre_releases() -> History:
    """v1.0.0, v2.0.0-alpha.1, v2.0.0-rc.1, v2.0.0-rc.2, v2.0.0 and on the same commit v2.0.0-final, two commits apart."""
    made = History()
    at: list[str] = []
    for number, name in enumerate(("v1.0.0", "v2.0.0-alpha.1", "v2.0.0-rc.1", "v2.0.0-rc.2", "v2.0.0")):
        at = made.line(f"p{number}-", 2, *at[-1:])
        made.tag(name, at[-1])
    made.tag("v2.0.0-final", at[-1])
    made.branch("main", at[-1])
    return made


def orphan() -> History:
    """v1.0.0 and v2.0.0 share no history."""
    made = History()
    made.line("a", 3)
    made.tag("v1.0.0", "a3")
    made.line("b", 4)
    made.tag("v2.0.0", "b4")
    made.branch("main", "b4")
    return made


def backward_clock() -> History:
    """Each commit is older than its parents: a walk that stops by date goes wrong here."""
    made = History()
    day = 86_400
    made.commit("a1", at=START + 50 * day)
    made.commit("a2", "a1", at=START + 40 * day)
    made.tag("v1.0.0", "a2")
    made.commit("side", "a1", at=START + 90 * day)
    made.commit("b1", "a2", at=START + 30 * day)
    made.commit("m", "b1", "side", at=START + 10 * day)
    made.commit("b2", "m", at=START)
    made.tag("v1.1.0", "b2")
    made.branch("main", "b2")
    return made


def long(count: int, *, message: str = "Change {}\n\nWhy it was needed, in a sentence or two of usual length.\n") -> History:
    """v1.0.0 - `count` commits - v2.0.0, with a merged side branch of five in every hundred."""
    made = History()
    at = made.commit("root")
    made.tag("v1.0.0", at)
    done = 0
    while done < count:
        if done % 100 == 50 and count - done >= 6:
            side = at
            for number in range(5):
                side = made.commit(f"s{done + number}", side, files={}, message=message.format(done + number))
            at = made.commit(f"c{done + 5}", at, side, files={}, message=message.format(done + 5))
            done += 6
        else:
            at = made.commit(f"c{done}", at, files={f"f{done % 50}": str(done)}, message=message.format(done))
            done += 1
    made.tag("v2.0.0", at)
    made.branch("main", at)
    return made


HISTORIES: dict[str, Callable[[], History]] = {
    "linear": linear,
    "merges": merges,
    "backport": backport,
    "criss_cross": criss_cross,
    "force_push": force_push,
    "rebased_base": rebased_base,
    "moved_tag": moved_tag,
    "monorepo": monorepo,
    "pre_releases": pre_releases,
    "orphan": orphan,
    "backward_clock": backward_clock,
}


@st.composite
def random_histories(draw: Any, most: int = 14, clock: str = "any") -> History:
    """Any graph of up to `most` commits: several roots, merges of up to three, tags of all kinds. Clocks go in all directions,
    or `forward`: a commit is as old as its parents or younger."""
    made = History()
    labels: list[str] = []
    times: dict[str, int] = {}
    for number in range(draw(st.integers(2, most))):
        recent = labels[-4:] if draw(st.booleans()) else labels
        wanted = draw(st.integers(0 if draw(st.integers(0, 5)) == 0 else 1, 3))
        parents: Sequence[str] = (
            draw(st.lists(st.sampled_from(recent), min_size=1, max_size=wanted, unique=True)) if recent and wanted else []
        )
        at = START + 60 * draw(st.integers(-40, 40)) if draw(st.booleans()) else None
        if clock == "forward":
            at = max((times[parent] for parent in parents), default=START) + 60 * draw(st.integers(0, 3))
        times[f"c{number}"] = at or 0
        labels.append(made.commit(f"c{number}", *parents, at=at))
    for number, label in enumerate(draw(st.lists(st.sampled_from(labels), max_size=6))):
        made.tag(f"v{number}.0.0", label, depth=draw(st.integers(0, 3)))
    made.branch("main", labels[-1])
    return made
