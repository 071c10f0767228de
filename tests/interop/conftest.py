"""Programs written by others are held against the API as the API's own tests serve it."""

from tests.api.serving import make_settings

__all__ = ["make_settings"]
