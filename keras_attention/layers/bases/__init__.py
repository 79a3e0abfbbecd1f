"""What several layers share: base classes, mixins, projections and checks. No public layer."""
