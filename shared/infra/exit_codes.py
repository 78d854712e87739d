"""How our commands end: faults of the configuration as one sentence each on stderr and exit code 2, never a trace."""

from __future__ import annotations

import sys
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from shared.errors import NotFound, SchemaError, SettingsError, TagshipError

FAILED, WRONG_USE, NOTHING_MATCHED = 1, 2, 3
_CODES = {SchemaError: WRONG_USE, NotFound: NOTHING_MATCHED}  # of other errors that we raised on purpose: FAILED


def run_command(main: Callable[[], object], name: str = "tagship") -> None:
    """Run a command's entry; exits 2 on a wrong setting or schema, 3 where nothing was found, 1 on any other error."""
    try:
        main()
    except SettingsError as problem:
        faults, code = problem.faults, WRONG_USE
    except TagshipError as problem:
        faults, code = [str(problem)], _CODES.get(type(problem), FAILED)
    except SQLAlchemyError as problem:
        # The driver's own words: they name host and cause, and never the password.
        cause = " ".join(str(getattr(problem, "orig", None) or type(problem).__name__).split())
        faults, code = [f"the database cannot be used: {cause[:300]}"], FAILED
    except OSError as problem:
        faults, code = [f"{problem.strerror or type(problem).__name__}: {problem.filename or 'a file or port'}"], FAILED
    else:
        return
    for sentence in faults:
        print(f"{name}: {sentence}", file=sys.stderr)
    sys.exit(code)
