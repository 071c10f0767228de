"""`python -m api`: the API on one address, until SIGTERM, which drains.

Settings come from the environment (docs/operating.md). When it listens it says so in one line on stdout; logs go to stderr.
"""

import sys

from pydantic import ValidationError

from api.app import create_app
from api.graphql.schema import SCHEMA
from api.routes import ROUTES
from api.server import Server, configuration
from record import logs
from record.refusals import Refusal
from record.settings import Settings, explained


def main() -> int:
    """Serves until it is told to stop."""
    try:
        settings = Settings.from_environment()
    except ValidationError as error:
        sys.stderr.write(f"{explained(error)}\n")
        return 2
    logs.configure(settings.log_format)
    try:
        app = create_app(settings, schema=SCHEMA, routes=ROUTES)
    except Refusal as refusal:  # a secret file that cannot be read
        sys.stderr.write(f"{refusal.message}\n")
        return 2
    Server(configuration(app, settings), app).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
