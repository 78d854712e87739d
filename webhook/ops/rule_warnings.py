"""Rules that can be read and never do what they seem to: told by `config check` and on the page of the rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.domain.rules import Rule, Rules, matches

_TAG_WORDS, _BRANCH_WORDS = ("{version}", "{tag}", "{component}"), ("{branch}",)
_WILD = frozenset("?[")


def warnings(rules: Rules, matched: Mapping[str, int] | None) -> list[str]:
    """One sentence for each. `matched`: how many stored deliveries each rule matched; None where nothing is stored yet."""
    found = [text for rule in rules.rules for text in _unreleasable(rule)]
    found += list(_shadowed(rules.rules))
    if matched is not None:
        found += [
            f"rule {rule.name!r} has matched no delivery so far: check its repo and refs"
            for rule in rules.rules
            if not matched.get(rule.name)
        ]
    return found


def _unreleasable(rule: Rule) -> Iterator[str]:
    """Placeholders that the wanted refs have no value for: each such push is ignored with version_refused."""
    for words, kind, start in ((_TAG_WORDS, "branches", "refs/heads/"), (_BRANCH_WORDS, "tags", "refs/tags/")):
        word = next((word for word in words if word in (rule.release or "")), None)
        refs = [ref for ref in rule.refs if not ref.startswith("!") and _can_match(ref, start)]
        if word is not None and refs:
            yield (
                f"rule {rule.name!r} never releases the {kind} that {refs[0]} matches, since {word} of its release "
                f"{rule.release!r} has no value for them: use another placeholder, or a rule of their own"
            )


def _can_match(pattern: str, start: str) -> bool:
    """Whether the pattern's fixed beginning leaves room for refs that start so."""
    fixed = pattern[: next((at for at, char in enumerate(pattern) if char in "*?[{"), len(pattern))]
    return start.startswith(fixed) if len(fixed) < len(start) else fixed.startswith(start)


def _shadowed(rules: tuple[Rule, ...]) -> Iterator[str]:
    """A rule behind one that takes all that it could match and does not continue, for each of its repositories and refs."""
    for place, rule in enumerate(rules):
        for earlier in rules[:place]:
            if not earlier.goes_on and _covers(earlier, rule):
                yield (
                    f"rule {rule.name!r} is never reached: rule {earlier.name!r} before it takes all that it matches; "
                    f"move it up, or set continue = true in {earlier.name!r}"
                )
                break


def _covers(earlier: Rule, rule: Rule) -> bool:
    if any(ref.startswith("!") for ref in earlier.refs):
        return False
    refs = [ref for ref in rule.refs if not ref.startswith("!")]
    repos_are = all(any(_is_wider(wide.lower(), repo.lower()) for wide in earlier.repos) for repo in rule.repos)
    return repos_are and all(any(_is_wider(wide, ref) for wide in earlier.refs) for ref in refs)


def _is_wider(wide: str, narrow: str) -> bool:
    """Whether every text that `narrow` matches `wide` matches too; False where that cannot be told."""
    return wide == narrow or (not _WILD & set(wide) and "{" not in wide and matches(wide, narrow))
