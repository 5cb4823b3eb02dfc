"""`python -m bridge` is `mcp-remote-bridge`; with the one word `login-process` a login (`tokens/login_process`)."""

import sys

from bridge import PROGRAM


def _stop(problem: str) -> None:
    sys.stderr.write(f"{PROGRAM}: error: {problem}\n")
    sys.exit(1)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - that is what is to be told
        # Told before anything else is imported: an older Python cannot read it all.
        _stop("This needs Python 3.11 or newer; {} is {}.".format(sys.executable, sys.version.partition(" ")[0]))
    if sys.argv[1:] == ["login-process"]:
        # Not by way of the command line: what that has to import is time that a person waits for the browser.
        from bridge.tokens.login_process import run_login_process

        sys.exit(run_login_process())
    try:
        from bridge.cli.main import main
    except ModuleNotFoundError as error:
        from bridge.errors import missing_package

        if not (said := missing_package(error.name)):
            raise
        _stop(said)
    main()
