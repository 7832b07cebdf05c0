"""Code that all assets share: the asset decorator, recipes, days, isolation of failing conversations, execution."""
