"""Telling people: a durable outbox, channels, texts filled from facts. Off every safety path."""
