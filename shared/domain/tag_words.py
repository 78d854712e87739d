"""The words of tag names and what they mean: docs/decisions/0008. A word that stands in no list makes a pre-release."""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A tag whose last segment is one of these moves on purpose.
FLOATING = _set(
    "latest stable nightly edge current head tip canary snapshot dev lts early-access main master trunk next alpha beta rc"
    " preview prerelease"
)
# Of these, the ones that also show what is not yet final: they count from pre-releases, too.
FLOATING_PRE = _set(
    "nightly edge tip canary snapshot dev early-access main master trunk head next alpha beta rc preview prerelease"
)
# Dropped from both ends of a component.
DROPPED = _set("v ver version versions r rel release releases tag tags")
# Alone in front of a version, these are part of its suffix: `rc-1.2.0`.
IN_FRONT = _set("rc alpha beta pre preview snapshot milestone")

PRE = _set(
    "rc c cr alpha a beta b dev pre preview prerelease snapshot milestone m ea test nightly canary next experimental unstable"
    " exp candidate edge pr git wip tmp temp dirty"
)
PRE_LETTERS = frozenset("abcm")  # with a number behind them only
PRE_BUILDS = frozenset({"git", "dev", "dirty"})
SILENT = _set("final ga release rel stable lts incubating")
EDITIONS = _set("jre android ce ee oss community enterprise")
AFTER = _set("sp p pl patch post hotfix hf fix fixed rev r sr sec u update upd")

# A second dotted group behind one of these is the platform's version, not the release's: `1.0.0-ubuntu-22.04`.
PLATFORMS = _set(
    "alma almalinux alpine amazonlinux android arch arm64 amd64 bookworm bullseye buster centos cuda cudnn darwin debian"
    " dotnet el fedora focal freebsd glibc go golang ios jammy java jdk jre k8s kubernetes linux mac macos macosx manylinux"
    " musl musllinux net netbsd node nodejs noble nvidia openbsd opensuse oracle osx php photon py python rhel rocky rocm"
    " ruby scala sles stretch suse trixie ubi ubuntu win windows windowsservercore x64 x86"
)
BELONGS_BEFORE = PLATFORMS | PRE | AFTER

# How the words of two suffixes stand to each other.
_GROUPS = (
    "dev snapshot nightly git canary",
    "alpha a m milestone ea pr",
    "",  # all others
    "beta b",
    "pre preview",
    "rc c cr candidate",
)
OTHERS = 2
ORDER = {word: rank for rank, group in enumerate(_GROUPS) for word in group.split()}
