"""An emulator of the IONOS Cloud API, and the parts of that cloud that act inside a cluster."""
