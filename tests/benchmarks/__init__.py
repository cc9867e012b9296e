"""How fast, how small: measured beside what people write without this package."""
