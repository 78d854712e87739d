"""Reads a tag's name: which line of releases it belongs to, which kind of release it names, and which version. Pure.

The rules are those of docs/decisions/0008, section "Reading a name". Case never matters. Every pattern is linear in the
length of the name, because names are written by anyone who may push.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shared.domain import tag_words as words
from shared.domain.tag_order import HASH, Kind, Line, TagName, Token

_SEPARATORS = re.compile(r"[-_./@=:+ ]+")
_SEGMENT = re.compile(r"==|[/@:]")
_FLOATING_NUMBER = re.compile(r"v?[0-9]+(?:\.[0-9]+)*(?:\.[x*])+")
_DOTTED = re.compile(r"(?<![0-9])[0-9]++(?:\.[0-9]++)++")
_RUN = re.compile(r"(?<![0-9])[0-9]++(?:(?:_[0-9]++)++|(?:-[0-9]++)++)")
_NUMBER = re.compile(r"[0-9]+")
_DATED = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}[-_](?:0?[1-9]|1[0-2])[-_](?:0?[1-9]|[12][0-9]|3[01])(?:\.[0-9]+)+")
_COMPACT_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_SPLIT_DATE = re.compile(r"(?:19|20)[0-9]{2}[-_](?:0?[1-9]|1[0-2])[-_](?:0?[1-9]|[12][0-9]|3[01])(?![0-9])")
# Pieces between separators. A hash with a `v` or `g` before it may be broken by `_`, as Jenkins' plugins write it.
_PLAIN_PIECE = re.compile(r"[^-_./@=:+ ]+")
_MARKED_PIECE = re.compile(r"(?<![^-./@=:+ ])[vg][0-9a-f_]++(?![^-./@=:+ ])")
_LONGEST_PREFIXED = 255
_HASH = re.compile(r"[0-9a-f]{7,40}")
_MASK, _MARKED_MASK = "\x01", "\x02"  # git allows neither in a name
_TOKEN = re.compile(r"[0-9]+|[\x01\x02]+|[^\W0-9_]+")
_VERSION_HASH = re.compile(r"[0-9]+\.\x02+")


def read_tag(name: str, *, final_suffixes: Sequence[str] = (), templates: Sequence[str] = ()) -> TagName:
    """The name taken apart. `final_suffixes`: further words of final releases. `templates`: `REL_{version}`, which settle
    component and version by hand; a name that fits none of them then names no version."""
    lowered = name.lower()
    silent = words.SILENT | {word.lower() for word in final_suffixes}
    if templates:
        for template in templates:
            if (parts := _fit(template.lower(), lowered)) is not None:
                component, version = parts
                return _read_version(name, component, version, silent)
        return _unversioned(name, lowered)
    return _read(name, lowered, silent)


def line_prefix(tag: TagName) -> str:
    """What this name and its like begin with: `api` of `api/v1.0`; "" where the line has no component, or the name is long."""
    lowered = tag.name.lower()
    if tag.line.sort != "version" or not len(lowered) == len(tag.name) <= _LONGEST_PREFIXED:
        return ""
    ends = range(len(tag.component), len(lowered))
    end = next((end for end in ends if tag.component and _component(lowered[:end]) == tag.component), 0)
    return tag.name[:end]


def check_template(template: str) -> str | None:
    """One sentence of fault about a template of tag names, or None."""
    rest = template.replace("{component}", "", 1)
    if template.count("{version}") != 1:
        return "must hold {version} once"
    if re.search(r"[{}]", rest.replace("{version}", "")):
        return "knows the placeholders {version} and {component}, each once"
    if "{component}{version}" in template or "{version}{component}" in template:
        return "needs a text between {component} and {version}"
    return None


def _fit(template: str, lowered: str) -> tuple[str, str] | None:
    """(component, version) of a name that fits. The version begins with a digit.

    The ends are compared first: a pattern that begins at any place and fails at the end alone is quadratic.
    """
    if not (lowered.startswith(template.partition("{")[0]) and lowered.endswith(template.rpartition("}")[2])):
        return None
    pattern = (
        re.escape(template).replace(r"\{version\}", "(?P<version>[0-9].*)").replace(r"\{component\}", "(?P<component>.+?)")
    )
    match = re.fullmatch(pattern, lowered, re.DOTALL)
    if match is None:
        return None
    return match.groupdict().get("component") or "", match["version"]


def _read_version(name: str, component: str, version: str, silent: frozenset[str]) -> TagName:
    masked = _mask(version)
    group = _find_dotted(masked) or _find_run(masked) or _NUMBER.match(masked)
    if group is None or group.start() != 0:
        group = _NUMBER.match(masked)
    assert group is not None  # noqa: S101  (the template's version begins with a digit)
    line = Line("version", _component(component))
    return _describe(name, line, group.group(), masked[group.end() :], silent, ())


def _read(name: str, lowered: str, silent: frozenset[str]) -> TagName:
    start = 0
    for separator in _SEGMENT.finditer(lowered):
        start = separator.end()
    before, segment = lowered[:start], lowered[start:]
    if segment in words.FLOATING or _FLOATING_NUMBER.fullmatch(segment):
        return TagName(name=name, line=Line("version", _component(before)), kind=Kind.FLOATING, suffix=(segment,))
    masked = _mask(segment)
    group = _find_group(masked, silent)
    if group is None:
        return _unversioned(name, lowered)
    component = _component(before + segment[: group[0]])
    extra: tuple[Token, ...] = ()
    numbers = masked[group[0] : group[1]]
    if component in words.IN_FRONT and len(_NUMBER.findall(numbers)) >= 2:
        component, extra = "", (component,)
    sort = "date" if not component and _is_date(numbers) else "version"
    return _describe(name, Line(sort, component), numbers, masked[group[1] :], silent, extra)


def _describe(name: str, line: Line, group: str, rest: str, silent: frozenset[str], extra: tuple[Token, ...]) -> TagName:
    numbers = [_int(number) for number in _NUMBER.findall(group)]
    if line.sort == "date" and numbers[0] > 9999:  # 20260501 and 2026-05-01 are one day
        numbers[:1] = [numbers[0] // 10_000, numbers[0] // 100 % 100, numbers[0] % 100]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    text, _, build_text = rest.partition("+")
    suffix, build = (*extra, *_tokens(text)), tuple(_tokens(build_text))
    return TagName(
        name=name,
        line=line,
        kind=_kind(suffix, build, silent),
        numbers=tuple(numbers),
        suffix=suffix,
        build=build,
        is_after=any(token in words.AFTER for token in suffix),
        editions=frozenset(token for token in suffix if isinstance(token, str) and token in words.EDITIONS),
        silent=silent,
    )


def _kind(suffix: Sequence[Token], build: Sequence[Token], silent: frozenset[str]) -> Kind:
    is_open = bool(suffix) and all(isinstance(token, int) for token in suffix)
    for place, token in enumerate(suffix):
        if isinstance(token, int) or token in silent or token in words.EDITIONS or token in words.AFTER:
            continue
        has_number = place + 1 < len(suffix) and isinstance(suffix[place + 1], int)
        if token == HASH or (len(token) == 1 and not (token in words.PRE_LETTERS and has_number)):
            is_open = True
        else:
            return Kind.PRE  # known, or unknown and so one, as semver has it
    if any(token in words.PRE_BUILDS for token in build):
        return Kind.PRE
    return Kind.OPEN if is_open else Kind.FINAL


def _unversioned(name: str, lowered: str) -> TagName:
    return TagName(name=name, line=Line("none", re.sub(r"[0-9\x01\x02]+", "#", _mask(lowered))), kind=Kind.NONE)


# --- the number group ----------------------------------------------------------------------------------------------------


def _find_group(masked: str, silent: frozenset[str]) -> tuple[int, int] | None:
    """Where the version's numbers stand in the last segment; None when it holds none."""
    found = _find_dotted(masked) or _find_run(masked)
    if found is None and (_VERSION_HASH.fullmatch(masked) or _MASK not in masked):
        found = _find_single(masked, silent)
    return None if found is None else found.span()


def _find_dotted(masked: str) -> re.Match[str] | None:
    """The first dotted group; a later one where a word stands before the first (`python-3.11-1.0.0`), unless what stands
    between says that the later one belongs to a platform or to a suffix."""
    first = _DOTTED.search(masked)
    if first is None:
        return None
    dated = _DATED.search(masked)
    if dated is not None and dated.start() <= first.start() < dated.end():
        return dated
    chosen = first
    if _component(masked[: first.start()]):
        end, belongs = first.end(), False
        for later in _DOTTED.finditer(masked, end):
            between, end = masked[end : later.start()], later.end()
            belongs = belongs or any(token in words.BELONGS_BEFORE for token in _tokens(between))
            if not between.endswith(("-", "_", "-v", "_v")):
                continue
            if belongs:
                break
            chosen = later
    return chosen


def _find_run(masked: str) -> re.Match[str] | None:
    """The last run such as `16_0` or `2021-04-009`."""
    return max(_RUN.finditer(masked), key=re.Match.start, default=None)


def _find_single(masked: str, silent: frozenset[str]) -> re.Match[str] | None:
    """The first number after which only known suffix words follow, or `.v` and a hash."""
    tokens = list(_TOKEN.finditer(masked))
    last_unknown = max((place for place, token in enumerate(tokens) if not _is_known(tokens, place, silent)), default=-1)
    for token in tokens[last_unknown + 1 :]:
        if token.group()[0].isascii() and token.group()[0].isdigit():
            return _NUMBER.match(masked, token.start())
    version_hash = _VERSION_HASH.fullmatch(masked)
    return None if version_hash is None else _NUMBER.match(masked)


def _is_known(tokens: Sequence[re.Match[str]], place: int, silent: frozenset[str]) -> bool:
    text = tokens[place].group()
    if text[0] in "0123456789":
        return True
    if text in words.PRE_LETTERS:
        return place + 1 < len(tokens) and tokens[place + 1].group()[0] in "0123456789"
    return text in words.PRE or text in words.AFTER or text in words.EDITIONS or text in silent


# --- pieces --------------------------------------------------------------------------------------------------------------


def _component(text: str) -> str:
    parts = [part for part in _SEPARATORS.split(text) if part]
    while parts and parts[0] in words.DROPPED:
        parts.pop(0)
    while parts and parts[-1] in words.DROPPED:
        parts.pop()
    return "-".join(parts)


def _is_date(group: str) -> bool:
    return _SPLIT_DATE.match(group) is not None or _COMPACT_DATE.fullmatch(_NUMBER.findall(group)[0]) is not None


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        token = match.group()
        yield HASH if token[0] in (_MASK, _MARKED_MASK) else _int(token) if token[0] in "0123456789" else token


def _int(digits: str) -> int:
    return int(digits[:1_000])  # Python refuses to read more than 4,300


def _mask(text: str) -> str:
    """The same text with each commit hash replaced by as many marks: 7 to 40 hexadecimal characters between separators, at
    least one digit and one letter."""

    def marked(match: re.Match[str]) -> str:
        piece = match.group()
        return _MARKED_MASK * len(piece) if _is_hash(piece[1:].replace("_", "")) else piece

    def plain(match: re.Match[str]) -> str:
        piece = match.group()
        return _MASK * len(piece) if _is_hash(piece) else piece

    return _PLAIN_PIECE.sub(plain, _MARKED_PIECE.sub(marked, text))


def _is_hash(text: str) -> bool:
    return _HASH.fullmatch(text) is not None and not text.isdigit() and not text.isalpha()
