"""Runs git on bare repositories, free of the configuration of whoever runs the suite."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Cem",
    "GIT_COMMITTER_EMAIL": "cem@example.org",
}


class GitError(Exception):
    """git refused; the text is what it said."""


def git(path: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """What `git -C path arguments` prints."""
    done = subprocess.run(["git", "-C", str(path), *arguments], input=stdin, capture_output=True, env=ENVIRONMENT)
    if done.returncode != 0:
        raise GitError(done.stderr.decode("utf-8", "replace"))
    return done.stdout


def lines(path: Path, *arguments: str) -> list[str]:
    return git(path, *arguments).decode().split()


def rev_list(path: Path, base: str, head: str) -> list[str]:
    """The oracle: the commits of `base..head`, newest first. Exact only with a commit-graph, see `histories.History.build`."""
    return lines(path, "rev-list", f"{base}..{head}")


def name_status(path: Path, sha: str) -> set[tuple[str, str]]:
    """The oracle of a commit's files: (path, letter) against the first parent; a rename as D of the old and A of the new."""
    parent = f"{sha}^1" if lines(path, "rev-list", "--parents", "-n1", sha)[1:] else _EMPTY_TREE
    printed = git(path, "diff-tree", "-r", "-z", "--no-renames", "--name-status", parent, sha).decode().split("\0")
    return {(name, "M" if letter == "T" else letter) for letter, name in zip(printed[::2], printed[1::2], strict=False)}


_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
