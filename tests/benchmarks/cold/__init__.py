"""The first write of a process."""
