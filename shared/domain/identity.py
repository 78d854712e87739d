"""Which repository a push is about: its number decides, else its name without case (docs/decisions/0016). Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from shared.domain.push import Repository
from shared.domain.rules import Rules, Source, names_repository

MOST_FORMER = 20  # names of a repository that are remembered
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class FormerName(NamedTuple):
    name: str
    until: datetime


class Known(NamedTuple):
    """A repository as the ledger knows it. `key`: what its rows refer to, whatever it is called now. `named_at`: when the push
    came that said the name; None where no push since the upgrade did."""

    key: str
    name: str
    id: int | None = None
    named_at: datetime | None = None
    former: tuple[FormerName, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All that it was ever called, as far as it is remembered, the present name first."""
        return tuple(dict.fromkeys((self.name, *(former.name for former in self.former))))

    def had(self, names: Collection[str]) -> bool:
        """Whether it has or had one of these names, given in lower case."""
        return any(name.lower() in names for name in self.names)


class Identity(NamedTuple):
    """`row` is None for a repository that nobody knows yet. `is_claimed`: the row had no number and gets the push's; `twins`
    are rows of the same name in another spelling, which then belong to it. `is_news`: the name is to be written down."""

    row: Known | None = None
    is_claimed: bool = False
    is_news: bool = False
    twins: tuple[Known, ...] = ()


class OwnRows(NamedTuple):
    """Rows of a repository that somebody names: those of its `names` and, where others had one of these too, of its `numbers`.
    A number of None: rows that say none."""

    names: tuple[str, ...]
    numbers: frozenset[int | None] | None = None


def own_rows(name: str, known: Sequence[Known]) -> OwnRows:
    """What a filter finds by a name in any case: whoever is called so now, under all its names, else whoever was.

    `known` are at least the repositories of one provider that have or had any of these names.
    """
    now = sorted((row for row in known if row.name.lower() == name.lower()), key=lambda row: row.named_at or _NEVER)
    mine = [row for row in now if row.id is None or row == now[-1]] or [row for row in known if row.had({name.lower()})]
    names = tuple(dict.fromkeys((name, *(each for row in mine for each in row.names))))
    lower = {each.lower() for each in names}
    if not any(row.had(lower) for row in known if row not in mine):
        return OwnRows(names)
    owns_unnumbered = any("#" not in row.key for row in mine)
    return OwnRows(names, frozenset([row.id for row in mine] + ([None] if owns_unnumbered else [])))


def identify(repository: Repository, known: Sequence[Known], at: datetime, sources: Sequence[Source] = ()) -> Identity:
    """Which of the `known` it is; they are those of its number, of its name without case, and of its key.

    Whoever may speak for one repository only could name another one's number in a body: a number counts among names that the
    same secrets speak for. `at`: when the push came; one that is older than what is known names nothing anew.
    """
    namesakes = [row for row in known if row.name.lower() == repository.full_name.lower()]
    namesakes.sort(key=lambda row: row.named_at or _NEVER, reverse=True)
    if repository.id is None:
        return Identity(namesakes[0] if namesakes else None)
    same = [row for row in known if row.id == repository.id and _is_followed(sources, repository, row.name)]
    if same:
        mine = max(same, key=lambda row: row.named_at or _NEVER)
        has_name = mine.name == repository.full_name and namesakes[0] == mine
        latest = max(row.named_at or _NEVER for row in (mine, *namesakes))
        return Identity(mine, is_news=not has_name and at > latest)
    if not namesakes or any(row.id is not None for row in namesakes):
        return Identity()  # a new one, also where another one had its name before
    namesakes.sort(key=lambda row: row.name != repository.full_name)
    return Identity(namesakes[0], is_claimed=True, is_news=True, twins=tuple(namesakes[1:]))


def fresh_key(repository: Repository, known: Collection[Known]) -> str:
    """What the rows of a repository refer to that nobody knows yet: its name, unless that is another one's already. No name
    holds a `#`."""
    if all(row.key != repository.key for row in known):
        return repository.key
    return f"{repository.key}#{repository.id or ''}"


def owns_old_rows(repository: Repository, row: Known | None, known: Collection[Known]) -> bool:
    """Whether rows of its name that say no number are the repository's: not where it took over another one's name."""
    if row is None:
        name = repository.full_name.lower()
        return all(one.id is None or (one.key != repository.key and one.name.lower() != name) for one in known)
    return "#" not in row.key


def renamed(row: Known, name: str, at: datetime, twins: Sequence[Known] = ()) -> Known:
    """The row under its new name, with what it was called before."""
    before = [one.name for one in (row, *twins) if one.name != name]
    kept = [former for former in row.former if former.name not in (name, *before)]
    former = (*kept, *(FormerName(each, at) for each in before))
    return row._replace(name=name, named_at=at, former=former[-MOST_FORMER:])


def is_same_source(sources: Sequence[Source], provider: str, one: str, other: str) -> bool:
    """Whether the same secrets speak for both names: the same entries of `[[sources]]` claim them, or none does."""
    return _claiming(sources, provider, one) == _claiming(sources, provider, other)


def _is_followed(sources: Sequence[Source], repository: Repository, name: str) -> bool:
    return is_same_source(sources, repository.provider, name, repository.full_name)


def _claiming(sources: Sequence[Source], provider: str, name: str) -> list[int]:
    mine = ((number, source) for number, source in enumerate(sources) if source.provider == provider)
    return [number for number, source in mine if names_repository(source.repositories, name)]


def patterns_left_behind(rules: Rules, provider: str, former: Collection[str], name: str) -> list[str]:
    """What of the configuration names a repository by a former name and not by its present one, such as
    `rule 'web': repo = "github:acme/*"`."""
    found = [(f"rule {rule.name!r}: repo", rule.repos, f"{provider}:") for rule in rules.rules]
    found += [(f"source {one.name!r}: repositories", one.repositories, "") for one in rules.sources if one.provider == provider]
    found += [("commits.repositories: repo", patterns, f"{provider}:") for patterns, _ in rules.commits.repositories]
    found += [("reconcile: repositories", rules.reconcile.repositories, f"{provider}:")]
    found += [
        (f"target {target.name!r}: repositories", tuple(target.repositories), f"{provider}:")
        for target in rules.targets.values()
    ]
    return [
        f'{where} = "{pattern}"'
        for where, patterns, prefix in found
        for pattern in patterns
        if not names_repository([pattern], prefix + name) and any(names_repository([pattern], prefix + old) for old in former)
    ]
