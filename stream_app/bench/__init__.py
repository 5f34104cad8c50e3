"""Speed, measured beside a yardstick of the same run: ratios hold on any machine, absolute figures do not."""
