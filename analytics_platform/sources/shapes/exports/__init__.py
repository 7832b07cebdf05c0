"""The shapes of exports, a module per platform or kind of log. ``shapes.catalogue`` lists them."""
