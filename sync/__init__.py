"""What the pipeline and the admin share: the settings, and the core of the synchronization."""
