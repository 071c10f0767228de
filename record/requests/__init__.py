"""What people ask for and others decide about: approvals and waivers, as far as they are alike."""
