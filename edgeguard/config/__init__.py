"""The configuration: its Structs, its rules, its file and the paths that follow from it."""
