"""What every test may ask for. Each fixture lives beside the others of its kind."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers"]

# How long an example takes says something about the machine, which other tests keep busy; not about what is tested.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")
