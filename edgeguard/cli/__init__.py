"""The command line: thin commands over the same functions that everything else uses."""
