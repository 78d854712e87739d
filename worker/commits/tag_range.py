"""The commits of a tag's release: by the log of pushes where that proves them, else by the forge.

Which releases are earlier is decided in `shared/domain/earlier_releases.py` (docs/decisions/0008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from shared.domain.commit_range import Range, payload_range
from shared.domain.earlier_releases import allowed, allowed_prereleases, find_earlier
from shared.domain.push import Push
from shared.domain.release_question import MOST_MORE, MOST_MORE_AGAIN, Earlier, Newest, Question, Release, is_younger
from shared.domain.rules import CommitRules, NamingRules
from shared.domain.tag_names import line_prefix, read_tag
from shared.domain.tag_order import Line, TagName
from shared.forges.forge import Comparison
from worker.commits.branch_range import first_release
from worker.commits.forge_history import ForgeHistory, cut_note
from worker.commits.push_chain import Chain
from worker.commits.push_log import PushLog

_LISTS_LAG = timedelta(minutes=40)  # replicas, and pages of a long list that are kept for half an hour between attempts
_NOT_SPLIT = "a nearer release lies inside a push, whose list cannot be split"
_NO_CHAIN = "the log's chain of pushes does not reach the previous release"


@lru_cache(maxsize=20_000)
def _read_tag(name: str, naming: NamingRules) -> TagName:
    """Kept, because the job of each tag reads the names of all: somebody's thousands of odd tags would be everybody's wait."""
    return read_tag(name, final_suffixes=naming.final_suffixes, templates=naming.templates)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRange:
    """`history` is None when the forge may not or cannot be asked: then the log and the payload speak."""

    push: Push
    log: PushLog
    history: ForgeHistory | None
    rules: CommitRules
    is_recollect: bool = False

    def collect(self) -> Range:
        """The range. Raises what the forge raises."""
        known = self._without_forge()
        if self.history is None or (known.is_whole and not self.is_recollect):
            return known  # the pushes received give the whole range back to a release that was announced
        prefix = self._prefix()
        releases = self._forge_releases(self.history, prefix)
        if (found := self._proven_by_log(self.history, releases)) is not None:
            return found
        return self._by_forge(self.history, releases, prefix)

    # --- with the forge ----------------------------------------------------------------------------------------------

    def _prefix(self) -> str:
        """What the names of this tag's line begin with, as far as it saves pages."""
        naming = self._naming
        return "" if naming.templates or naming.bases else line_prefix(self._read(self.push.ref.name))

    def _forge_releases(self, history: ForgeHistory, prefix: str) -> list[Release]:
        """From the forge whenever it answers: it never announced some of its tags, or late. Its list may lag, so that what was
        announced lately goes before. A list by prefix that lacks the very tag in question is not to be trusted."""
        tags = history.tags(prefix)
        if prefix and self.push.ref.name not in {tag.name for tag in tags}:
            tags = history.tags("")
        known = {tag.name: (tag.sha, tag.at) for tag in tags}
        lately = self.log.tags_announced_since(datetime.now(UTC) - _LISTS_LAG)
        for name, sha in lately.items():
            if sha is None:
                known.pop(name, None)
            elif known.get(name, (None, None))[0] != sha:
                known[name] = (sha, None)
        return [Release(self._read(name), sha, at) for name, (sha, at) in known.items()]

    def _proven_by_log(self, history: ForgeHistory, releases: Sequence[Release]) -> Range | None:
        """The log's own list, where a chain of whole pushes leads to an earlier release and nothing else can be nearer."""
        question = self._question(releases, history)
        possible = [*allowed(question, releases), *question.fixed]
        chain = self.log.chain({release.sha for release in possible}) if possible else None
        if chain is None or chain.hidden:
            return None
        found = self.log.range_of(chain)
        if found is None or self._beside(question, possible, found, history.times):
            return None
        if not found.is_proven and not (chain.links == 1 and history.is_ancestor(chain.base)):
            return None
        return replace(self._named(found, possible), is_proven=True, tags="forge")

    def _by_forge(self, history: ForgeHistory, releases: Sequence[Release], prefix: str) -> Range:
        question = self._question(releases, history)
        found = find_earlier(question, releases)
        if not isinstance(found, Earlier) and prefix:
            # Nothing before it under this name: whether it goes on from another one, only the whole list tells.
            releases = self._forge_releases(history, "")
            question = self._question(releases, history)
            found = find_earlier(question, releases)
        note = _undecided_note(found.undecided)
        if not isinstance(found, Earlier):
            first = first_release(self.push, history, self.rules)
            return replace(first, partial=note, is_proven=note is None, tags="forge")
        base = found.bases[0]
        compared = history.compare(base.sha) if not found.is_complete else None
        cut = cut_note(compared) if isinstance(compared, Comparison) else None
        return Range(
            source="api",
            base=base.sha,
            head=question.sha,
            commits=tuple(history.commits[sha] for sha in found.ids),
            partial=note if cut is None else cut,
            is_proven=found.is_complete and note is None,
            bases=tuple(release.sha for release in found.bases),
            base_tag=base.tag.name,
            how=found.how,
            tags="forge",
        )

    # --- without it ----------------------------------------------------------------------------------------------------

    def _without_forge(self) -> Range:
        """The log alone: what it knows, and why that may not be all."""
        announced = self.log.announced_tags()
        times = self.log.times({*announced.values(), self._head})
        releases = [Release(self._read(name), sha, times.get(sha)) for name, sha in announced.items()]
        question = self._question(releases, None)
        possible = _possible(question, releases)
        chain = self.log.chain({release.sha for release in possible}) if possible else None
        found = self._from_chain(question, possible, chain) or self._from_loose_end(possible)
        return replace(found, tags="announced")

    def _from_chain(self, question: Question, possible: Sequence[Release], chain: Chain | None) -> Range | None:
        found = self.log.range_of(chain) if chain is not None else None
        if chain is None or found is None:
            return None
        if chain.hidden:
            return replace(self._named(found, possible), partial=_NOT_SPLIT, is_proven=False)
        note = _undecided_note(self._beside(question, possible, found, lambda _: {}))
        return replace(self._named(found, possible), partial=note, is_proven=found.is_proven and note is None)

    def _from_loose_end(self, possible: Sequence[Release]) -> Range:
        known = self.log.loose_end({release.sha for release in possible})
        if not known:
            return payload_range(self.push)
        found = Range(source="log", base=None, head=self._head, commits=known, partial=_NO_CHAIN, is_proven=False)
        if possible:
            return found
        return replace(found, commits=known[: self.rules.first_release], partial=None, how="first_release")

    # --- both ------------------------------------------------------------------------------------------------------------

    @property
    def _head(self) -> str:
        assert self.push.sha is not None  # noqa: S101  (no job is made of a push without a commit)
        return self.push.sha

    @property
    def _naming(self) -> NamingRules:
        return self.rules.naming_for(self.push.repository.key)

    def _read(self, name: str) -> TagName:
        return _read_tag(name, self._naming)

    def _question(self, releases: Sequence[Release], history: ForgeHistory | None) -> Question:
        return Question(
            this=self._read(self.push.ref.name),
            sha=self._head,
            at=next((release.at for release in releases if release.sha == self._head), None),
            compare=history.difference if history else lambda _: None,
            newest=history.newest if history else lambda: Newest((), True),
            most_more=MOST_MORE_AGAIN if self.is_recollect else MOST_MORE,
            times=history.times if history else lambda _: {},
            counts_prereleases=self._naming.counts_prereleases,
            fixed=tuple(self._fixed(releases, history)),
        )

    def _fixed(self, releases: Sequence[Release], history: ForgeHistory | None) -> Iterable[Release]:
        """What `[commits] base` names: a tag, or a commit."""
        for name in self._naming.bases:
            known = next((release for release in releases if release.tag.name == name), None)
            if known is None and _is_sha(name):
                known = Release(self._read(name), name, None)
            if known is None and history is not None and (tag := history.tag(name)) is not None:
                known = Release(self._read(name), tag.sha, tag.at)
            if known is not None and known.sha != self._head:
                yield known

    def _beside(
        self,
        question: Question,
        possible: Sequence[Release],
        found: Range,
        times: Callable[[Sequence[str]], Mapping[str, datetime]],
    ) -> int:
        """How many lower releases could share a commit with this range, for all that is known of their times."""
        inside = {commit.id for commit in found.commits} | {found.base}
        others = [release for release in possible if release.sha not in inside and release.tag.is_lower(question.this)]
        untimed = [release.sha for release in others if release.at is None]
        told = times(untimed) if untimed else {}
        rest = [commit.timestamp for commit in found.commits if commit.id != found.head]
        known = [at for at in rest if at is not None]
        if not rest or not others:
            return 0
        oldest = min(known) if len(known) == len(rest) else None
        head_at = question.at or found.commits[0].timestamp
        moments = [(release.at or told.get(release.sha)) for release in others]
        return sum(at is None or oldest is None or (at > oldest and not is_younger(at, head_at)) for at in moments)

    def _named(self, found: Range, possible: Sequence[Release]) -> Range:
        """The range with the name of the highest release on its base."""
        named = [release.tag for release in possible if release.sha == found.base]
        best = max(named, key=lambda tag: tag.order, default=None)
        return replace(found, base_tag=best.name if best else None, how="ancestor")


def _possible(question: Question, releases: Sequence[Release]) -> list[Release]:
    """Those that may count, or where there is none, its fallbacks: pre-releases, then the only other line."""
    own = [*allowed(question, releases), *question.fixed] or allowed_prereleases(question, releases)
    if own:
        return own
    lines: dict[Line, list[Release]] = {}
    for release in releases:
        if release.tag.is_version and release.sha != question.sha:
            lines.setdefault(release.tag.line, []).append(release)
    return next(iter(lines.values())) if len(lines) == 1 and question.this.line not in lines else []


def _undecided_note(undecided: int) -> str | None:
    if not undecided:
        return None
    what = "release was" if undecided == 1 else "releases were"
    return f"{undecided} earlier {what} not compared: some of these commits may be in them"


def _is_sha(text: str) -> bool:
    return len(text) in (40, 64) and not text.strip("0123456789abcdef")
