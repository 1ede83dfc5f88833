"""Goals; pausing, holding and migrating sessions."""
