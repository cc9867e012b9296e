"""What tests share about threads, ports and waiting."""
