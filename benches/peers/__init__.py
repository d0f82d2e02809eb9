"""What people use today, doing the same work: a plain Python guard, NautilusTrader, vn.py."""
