"""Parts of networks that are made of several elastic layers, with their subnets'."""
