"""The version of this distribution; its metadata is made of this line."""

VERSION = "0.1.0"
