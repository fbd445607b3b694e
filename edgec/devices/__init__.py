"""Devices that are reached by a cable or a network: what runs there, what they are, how long an artifact takes."""
