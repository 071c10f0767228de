# One image for `python -m api`, `python -m workers`, `python -m record.migrations` and `python -m record`.
FROM python:3.13-slim-trixie AS installed

RUN python -m venv /opt/muniment
ENV PATH=/opt/muniment/bin:$PATH

# Only what the server imports; requirements.lock has the same files, and those of tests and one-machine stacks beside them.
COPY requirements.server.lock /build/
RUN pip install --no-cache-dir --require-hashes --requirement /build/requirements.server.lock

# Built with the hatchling that the lock names, hence without build isolation.
COPY cli /build/cli
RUN pip install --no-cache-dir --no-deps --no-build-isolation /build/cli


FROM python:3.13-slim-trixie

COPY --from=installed /opt/muniment /opt/muniment
ENV PATH=/opt/muniment/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

WORKDIR /srv/muniment
COPY record record
COPY api api
COPY workers workers
COPY schema.graphql schema.graphql

# Any uid will do: nothing in the image is written to. compose.yaml sets the one that may read the secret files.
USER 10001

EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "-m", "api"]
