"""One module for each command: `describe(parser)` adds its arguments, `run(options)` does it."""
