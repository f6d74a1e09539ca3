"""`kompass-qbo demo`: every part as a process of its own, sample events through all of them, and the proof of the result."""
