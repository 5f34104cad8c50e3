"""The planner's page: what runs out first, one SKU, why, the queue, models, data quality.

State comes from Redis, recent requests from Kafka, versions from the model
store; each may be away, and the page says so and shows what it has. Only
`rulings` writes: what a planner approves or declines, where that is allowed.
"""
