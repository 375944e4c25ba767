"""One module per verb: EXAMPLES for its help, `arguments(parser)` for its options, `run(options, console)` to do it."""
