"""The pages of the section Quickbooks Online, one module for each."""
