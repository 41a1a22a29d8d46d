"""The command line: one file a command; ``main`` finds them, everything else is imported late."""
