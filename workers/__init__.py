"""What happens without anyone asking: checkpoints are signed, archives are made, everything is re-read now and then."""
