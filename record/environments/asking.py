"""Which snapshots an expression asks for, at a moment: one, or for a logical environment one of each that it includes."""

from record.database import Connection
from record.environments import expressions, snapshots
from record.environments.expressions import Expression
from record.environments.queries import Environment
from record.environments.snapshots import Snapshot
from record.ids import LedgerSize
from record.ledger import queries as ledger
from record.moment import Moment
from record.refusals import InvalidInput, NotFound


async def snapshots_asked(
    connection: Connection, moment: Moment, environment: Environment, expression: Expression
) -> list[Snapshot]:
    """The snapshots that say what ran. Refuses numbers that are not there, and instants at which there was none yet."""
    counted = expression.number is not None or expression.back is not None
    if environment.is_logical and counted:
        raise InvalidInput(
            f"{environment.name} is logical, and its snapshots have no numbers. "
            f"Ask by an instant, such as {environment.name}@{{2.days.ago}}.",
            field="expression",
        )
    then = moment if expression.instant is None else await _at(connection, moment, expression)
    found = [each for each in await snapshots.newest(connection, then, environment.places) if each is not None]
    if not counted:
        if not found and not environment.is_logical:
            raise _none(environment.name, expression)
        return found
    number = expressions.number_asked(expression, found[0].number if found else 0)
    if found and number == found[0].number:
        return found
    snapshot = await snapshots.numbered(connection, moment, environment.environment_id, number)
    return [] if snapshot is None else [snapshot]


async def _at(connection: Connection, moment: Moment, expression: Expression) -> Moment:
    assert expression.instant is not None
    size = await ledger.size_at(connection, moment.org_id, expression.instant)
    return Moment(moment.org_id, LedgerSize(min(size, moment.size)), expression.instant)


def _none(name: str, expression: Expression) -> NotFound:
    when = "at this moment" if expression.instant is None else "at that instant"
    return NotFound(f"The environment {name} had no snapshot {when}. Ask for a later one, or report one first.")
