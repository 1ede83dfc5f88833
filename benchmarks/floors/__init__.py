"""What the core is compared with: the same decisions with less around them."""
