"""The core that pipeline and admin share: the life of a link, the one decision, and an attempt from plan to answer."""
