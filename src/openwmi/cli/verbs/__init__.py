"""One module per verb: ARGUMENTS, OPTIONS and EXAMPLES say what it takes, `run(options, console)` does it."""
