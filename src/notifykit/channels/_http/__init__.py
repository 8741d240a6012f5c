"""What the channels that speak HTTP share: one exchange and its deadline (wire), its faults, and where it may go (ssrf)."""
