"""What is claimed about speed, runnable: `make bench`, or `python -m benchmarks [NAME...] [--seconds N]`.

Nothing here is read as an absolute number. Every case runs a floor (`floor.py`: the same bytes through bare Starlette and asyncpg
on the same PostgreSQL) and this system in turns, in the same minutes on the same cores, and what counts is the median of
the ratios of neighbouring runs. The server under test has a core to itself; PostgreSQL and whoever makes the load share another.
"""
