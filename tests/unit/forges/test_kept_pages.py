"""Pages kept between attempts, and pages kept for conditional requests."""

from __future__ import annotations

from shared.forges.etag_cache import PageCache
from shared.forges.kept_pages import KeptPages, Shelf


def test_a_page_is_found_until_its_listing_is_too_old_or_forgotten() -> None:
    now = [0.0]
    pages = KeptPages(clock=lambda: now[0])
    shelf = Shelf(pages)
    shelf.keep("range", 1, ["a"], 2, items=1)
    now[0] = 1_000.0
    shelf.keep("range", 2, ["b"], None, items=1)
    assert (shelf.find("range", 1), shelf.find("range", 2), shelf.find("other", 1)) == ((["a"], 2), (["b"], None), None)
    now[0] = 1_801.0
    assert shelf.find("range", 2) is None, "a listing is as old as its first page"
    shelf.keep("range", 1, ["a"], None, items=1)
    shelf.forget("range")
    assert (shelf.find("range", 1), shelf.added) == (None, 3)


def test_the_listing_that_was_used_least_recently_makes_room() -> None:
    pages = KeptPages(most_items=10, most_text=100)
    for listing in ("old", "used", "new"):
        pages.keep(listing, 1, (listing, None), 4, 0)
        pages.find("used", 1)
    assert [pages.find(listing, 1) is not None for listing in ("old", "used", "new")] == [False, True, True]
    pages.keep("long", 1, ("long", None), 1, 99)
    pages.keep("long", 1, ("long", None), 1, 99)
    assert pages.find("long", 1) is not None, "the same page counts once"
    pages.keep("longer", 1, ("longer", None), 1, 101)
    assert pages.find("longer", 1) is None, "what is too much alone is not kept"


def test_a_job_that_is_done_leaves_nothing_of_what_it_used() -> None:
    pages = KeptPages()
    first, second = Shelf(pages), Shelf(pages)
    first.keep("range", 1, ["a"], None, items=1)
    second.find("range", 1)
    second.forget_all()
    assert first.find("range", 1) is None


def test_a_list_longer_than_the_page_cache_still_finds_most_of_its_pages() -> None:
    cache = PageCache(100)
    hits = []
    for _ in range(6):
        hits.append(0)
        for number in range(120):
            if cache.find(f"page {number}") is not None:
                hits[-1] += 1
            else:
                cache.keep(f"page {number}", '"e"', number)
    assert min(hits[1:]) > 40, "the page that was used longest ago would be the next one needed: 0"
