"""The core that pipeline and admin share: the life of a link, the one decision, an attempt from plan to answer, and the settings."""
