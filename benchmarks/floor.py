"""The floor: what the same bytes cost when nobody asks whether they may, are right or can be proven.

Bare Starlette and asyncpg in one process, with uvicorn set as the API sets it. It is prepared by `PUT /answers/{name}` and
`PUT /rows/{key}`; these are measured:

    POST /write/{name}     loads the body as JSON, inserts it into a plain table, durably, gives the prepared answer
    POST /read/{key}       selects the prepared rows as text, one for each node of a page, and gives them joined
    POST /constant/{name}  gives the prepared answer
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from record import garbage

TABLES = """
CREATE TABLE IF NOT EXISTS written (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, content bytea NOT NULL);
CREATE TABLE IF NOT EXISTS rows (key text, place int, content text NOT NULL, PRIMARY KEY (key, place));
"""
CONNECTIONS = 16


async def healthz(_request: Request) -> Response:
    return Response()


async def put_answer(request: Request) -> Response:
    request.app.state.answers[request.path_params["name"]] = await request.body()
    return Response(status_code=204)


async def put_rows(request: Request) -> Response:
    key = request.path_params["key"]
    rows = [(key, place, row) for place, row in enumerate(await request.json())]
    await request.app.state.pool.executemany("INSERT INTO rows VALUES ($1, $2, $3)", rows)
    return Response(status_code=204)


async def write(request: Request) -> Response:
    body = await request.body()
    json.loads(body)
    async with request.app.state.pool.acquire() as connection:
        await connection.fetchval("INSERT INTO written (content) VALUES ($1) RETURNING number", body)
    return Response(request.app.state.answers[request.path_params["name"]], media_type="application/json")


async def read(request: Request) -> Response:
    await request.body()
    async with request.app.state.pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT content FROM rows WHERE key = $1 ORDER BY place", request.path_params["key"]
        )
    return Response("".join([row[0] for row in rows]), media_type="application/json")


async def constant(request: Request) -> Response:
    await request.body()
    return Response(request.app.state.answers[request.path_params["name"]], media_type="application/json")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(
        os.environ["FLOOR_DATABASE_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS
    ) as pool:
        await pool.execute(TABLES)
        app.state.pool = pool
        garbage.settle()
        yield


def main() -> None:
    """`python -m benchmarks.floor`, with FLOOR_DATABASE_URL and FLOOR_PORT in the environment."""
    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/answers/{name}", put_answer, methods=["PUT"]),
            Route("/rows/{key}", put_rows, methods=["PUT"]),
            Route("/write/{name}", write, methods=["POST"]),
            Route("/read/{key}", read, methods=["POST"]),
            Route("/constant/{name}", constant, methods=["POST"]),
        ],
        lifespan=lifespan,
    )
    app.state.answers = {}
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["FLOOR_PORT"]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
