"""What is deployed beside the product: images, dashboards, rules."""
