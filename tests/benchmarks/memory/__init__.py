"""How much memory writes take, each measured in a process of its own."""
