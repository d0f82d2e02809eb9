"""What every halt and pause leaves behind: an incident, its evidence, its row in the log."""
