"""Jobs: what workers are to do, as rows with a lease and a fencing token. A queue only tells a worker to look."""
