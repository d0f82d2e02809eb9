"""Seeded simulation of a flatten: the shipped planner, runner, reader and intent log over a paper
server, under virtual time and random faults, with P13 to P19 checked all along."""
