"""A process's memory: garbage that is not worth looking for, blocks to be given back. Knows nothing of us."""

from __future__ import annotations

import contextlib
import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def spare_what_lasts() -> None:
    """To be called once a process is up that will hold much for a while, as a worker holds ten thousand commits: that makes
    Python collect in full, looking at each of some 130,000 objects that modules and classes are made of, for 60 ms in which
    no thread runs. Spared, it takes 3 ms.

    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()


def give_back_large_blocks() -> None:
    """To be called where bodies of many megabytes come and go: glibc learns from the first that is freed to take the next from
    its heap, which then stays as large as all of them were together. Does nothing with another C library.

    https://man7.org/linux/man-pages/man3/mallopt.3.html (M_MMAP_THRESHOLD)
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, 1024 * 1024)
        libc.mallopt(_TRIM_THRESHOLD, 8 * 1024 * 1024)
