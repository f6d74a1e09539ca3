"""Going back in time: the topics read again for one Org."""
