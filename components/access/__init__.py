"""App owners: what they may do in the cluster, and the namespaces in which they may do it."""
