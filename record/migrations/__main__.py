"""`python -m record.migrations`: bring the database to this version's schema."""

import sys

from pydantic import ValidationError

from record.migrations.run import upgrade
from record.settings import Settings, explained


def main() -> int:
    try:
        settings = Settings.from_environment()
    except ValidationError as error:
        sys.stderr.write(f"{explained(error)}\n")
        return 2
    if settings.owner_database_url is None:
        sys.stderr.write(
            "MUNIMENT_OWNER_DATABASE_URL is not set. Migrations run as the database's owner; set it and run again.\n"
        )
        return 2
    upgrade(str(settings.owner_database_url))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
