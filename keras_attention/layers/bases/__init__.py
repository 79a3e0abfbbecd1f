"""Base classes, mixins, projections and checks shared by layers. No public layers."""
