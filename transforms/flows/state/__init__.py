"""What is remembered of one user: stored records, the working copy, and the codec between them."""
