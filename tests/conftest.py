"""What every test may ask for. Each fixture lives beside the others of its kind."""

pytest_plugins = ["tests.servers"]
