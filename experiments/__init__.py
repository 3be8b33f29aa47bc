"""What people run: experiments as lab notes, studies, benchmarks, examples."""
