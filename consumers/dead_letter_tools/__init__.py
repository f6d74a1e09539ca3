"""Looking through the dead letters, and having them tried again. Nothing here writes into Kompass's own topics."""
