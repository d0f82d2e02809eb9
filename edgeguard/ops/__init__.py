"""The ops process: HTTP, notifications, incidents. A client of the guard like any other."""
