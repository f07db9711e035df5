"""From a measurement to parameters, intervals and a verdict, by network and by surrogate."""
