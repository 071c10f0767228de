"""The whole system on one machine, without Docker: real PostgreSQL, Valkey and SeaweedFS from wheels, API and worker.

For trying Muniment out (`make demo`, `make up`) and for the tests, which run on the same servers. Everything listens on
127.0.0.1 only and keeps its data in one directory. A server that many people depend on is `compose.yaml`'s business.
"""
